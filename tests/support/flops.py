"""The operations of a training, counted: what the estimate 6 N D of `scaling` is held against."""


def exact_training_flops(model, n_tokens, length):
    """Operations of a training, counted from the shapes of every product of matrices.

    What `training_flops` leaves out or counts without need: attention over a text of that length
    (tokens), the head, which works even where it shares its weights with the embedding, and the
    embeddings, which are only looked up.

    Example:
        >>> from helpers.models import load_causal_lm
        >>> from helpers.lab.scaling import training_flops
        >>> lm = load_causal_lm("pocket-gpt2")
        >>> round(exact_training_flops(lm.model, 1, 64) / training_flops(lm.n_params, 1), 2)
        1.02
    """
    embeddings = {id(m.weight) for m in model.modules() if type(m).__name__ == "Embedding"}
    products = sum(p.numel() for p in model.parameters() if p.ndim == 2 and id(p) not in embeddings)
    head, config = model.get_output_embeddings().weight, model.config
    products += head.numel() if id(head) in embeddings else 0
    # Scores, and the sum that they weigh
    attention = 2 * config.num_hidden_layers * config.hidden_size * length
    return 6 * (products + attention) * n_tokens
