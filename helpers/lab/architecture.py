"""What the pocket models are made of: their common tokenizer, and new models to train."""

import copy

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)
from transformers import (
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
)

from helpers._plumbing.checkpoints import quiet
from helpers._plumbing.files import writable_folder
from helpers.lab import pocketweb

CONTEXT = 256  # tokens
PAD = "[PAD]"
OBJECTIVES = ("causal", "masked")


def build_tokenizer(genres=None):
    """The tokenizer of both pocket models: byte-level BPE in which every PocketWeb token is one id.

    It puts `<|endoftext|>` in front of a text, as the start. Any other text falls apart into bytes
    and round-trips. The space before a `[MASK]` belongs to the blank. The path of a grammar, as in
    `pocketweb.language`, adds its new words at the end.

    Example:
        >>> build_tokenizer().tokenize("The cat sat.")
        ['The', 'Ġcat', 'Ġsat', '.']
    """
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    special, languages = [pocketweb.END, PAD, pocketweb.MASK], (None, genres)
    words = [word for one in languages for word in pocketweb.language(one).vocabulary[:-1]]
    words = ["".join(piece for piece, _ in byte_level.pre_tokenize_str(word)) for word in words]
    tokens = dict.fromkeys([*special, *sorted(pre_tokenizers.ByteLevel.alphabet()), *words])
    vocab = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[], ignore_merges=True))
    tokenizer.normalizer = normalizers.Replace(Regex(r"(?<![\n ]) (?=\[MASK\])"), "")
    pieces = pre_tokenizers.Split(Regex(pocketweb.TOKEN_PATTERN), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pieces, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{pocketweb.END} $A",
        pair=f"{pocketweb.END} $A $B",
        special_tokens=[(pocketweb.END, 0)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=pocketweb.END,
        eos_token=pocketweb.END,
        pad_token=PAD,
        mask_token=AddedToken(pocketweb.MASK, normalized=True, special=True),
        model_max_length=CONTEXT,
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
    )


def build_model(objective, tokenizer, n_layer=4, d_model=128, n_head=4):
    """A new GPT-2 or BERT with random weights, of the same layers, width and heads.

    Args:
        objective: "causal" (`GPT2LMHeadModel`) or "masked" (`BertForMaskedLM`).
        n_layer, d_model, n_head: depth, width and attention heads of every layer.

    Raises:
        ValueError: for another objective, or a width that the heads do not divide.

    Example:
        >>> model = build_model("masked", build_tokenizer(), n_layer=1, d_model=8, n_head=2)
        >>> model.config.hidden_size
        8
    """
    check_objective(objective)
    if d_model % n_head:
        wrong = f"{d_model} is not a multiple of {n_head}"
        raise ValueError(f"d_model must be a multiple of n_head: {wrong}.")
    shared = {"vocab_size": len(tokenizer), "initializer_range": d_model**-0.5}
    shared |= {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    if objective == "causal":
        shared |= {"n_positions": CONTEXT, "n_embd": d_model, "n_layer": n_layer, "n_head": n_head}
        shared |= {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
        return GPT2LMHeadModel(GPT2Config(activation_function="gelu_pytorch_tanh", **shared))
    shared |= {"initializer_range": 0.02, "max_position_embeddings": CONTEXT, "type_vocab_size": 1}
    shared |= {"hidden_size": d_model, "num_hidden_layers": n_layer, "num_attention_heads": n_head}
    shared |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    shared |= {"pad_token_id": tokenizer.pad_token_id}
    shared |= {"intermediate_size": 4 * d_model, "hidden_act": "gelu_pytorch_tanh"}
    return BertForMaskedLM(BertConfig(**shared))


def check_objective(objective):
    if objective not in OBJECTIVES:
        raise ValueError(f'The objective must be "causal" or "masked", not {objective!r}.')
    return objective


def save(lm, folder):
    """Write a model in half precision, and its tokenizer, where `load_causal_lm(folder)` finds it.

    Example:
        >>> import os, tempfile
        >>> from helpers.models import load_causal_lm
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(load_causal_lm("pocket-gpt2"), folder)
        ...     "model.safetensors" in os.listdir(folder)
        True
    """
    writable_folder(folder)
    with quiet():
        copy.deepcopy(lm.model).half().save_pretrained(folder)
    lm.tokenizer.save_pretrained(folder)
