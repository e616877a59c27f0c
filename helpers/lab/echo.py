"""The echo game: a phrase of random words comes again and again, and a small GPT-2 must go on.

No phrase comes twice, so nothing can be learned by heart. Once the first word of the phrase has
come again, every further word is certain if you look up what followed the last time: the
*induction* that needs two layers, one in which each place notes the word before it, and one that
finds the place whose note is the present word. `surgery` cuts such looks out of a trained model.
Left out: PocketWeb, whose echo games are one genre among many and are asked by
`helpers.lab.abilities`.
"""

from contextlib import contextmanager
from typing import NamedTuple

import torch
from transformers import AttentionInterface, GPT2Config, GPT2LMHeadModel

from helpers._plumbing.checks import check_number, check_whole_number

N_WORDS, N_TOKENS = 63, 64  # in the game, with ids from 1 on; and in one text of it
SHORTEST, LONGEST = 5, 20  # words in a phrase, all different
BATCH, WIDTH = 32, 32
LOOKS = (  # all that the two layers look at
    "layer 1, at the word before",
    "layer 1, at all else",
    "layer 2, after the same word",
    "layer 2, at all else",
)


class Look(NamedTuple):
    """Mean attention of each layer from places whose next word is certain, and what is chance."""

    back: list  # to the place before
    back_chance: float
    induction: list  # to all places after an earlier occurrence of the present word
    induction_chance: float


class Outcome(NamedTuple):
    """What is left of a model after surgery, on the words that are certain."""

    accuracy: float  # share that the likeliest word hits
    loss: float  # nats per certain word
    looks: dict  # {one of LOOKS: the attention that goes there, were it not cut}


def games(n, seed):
    """Games with phrases of random length: ids [n, 64], and where the next word is certain [n, 63].

    Example:
        >>> ids, certain = games(2, seed=0)
        >>> ids.shape, certain.shape
        (torch.Size([2, 64]), torch.Size([2, 63]))
    """
    draw = torch.Generator().manual_seed(seed)
    length = torch.randint(SHORTEST, LONGEST + 1, (n, 1), generator=draw)  # of the phrase
    # All words in random order; the first ones count
    phrase = torch.rand(n, N_WORDS, generator=draw).argsort(1) + 1
    place = torch.arange(N_TOKENS).expand(n, -1)
    return phrase.gather(1, place % length), place[:, :-1] >= length


def train_echo(n_layer, learning_rate=1e-3, steps=1000, seed=0):
    """Train a GPT-2 of one head in each layer on new games in every step.

    Returns:
        (model, history): history is a list of dicts with step, loss (nats per word, all words) and
        accuracy (share of the certain words that the likeliest token hits), measured on the games
        of the step before it learns from them.

    Raises:
        ValueError, TypeError: numbers out of range, before the first step.

    Example:
        >>> model, history = train_echo(n_layer=1, steps=2)
        >>> [report["step"] for report in history]
        [0, 1]
    """
    n_layer, steps = check_whole_number(n_layer, "n_layer"), check_whole_number(steps, "steps", 0)
    seed = check_whole_number(seed, "seed", 0, 2**31)
    learning_rate = check_number(learning_rate, "learning_rate")
    torch.manual_seed(seed)
    shape = {"vocab_size": N_WORDS + 1, "n_positions": N_TOKENS, "n_embd": WIDTH}
    shape |= {"n_layer": n_layer, "n_head": 1, "activation_function": "gelu_pytorch_tanh"}
    shape |= {"bos_token_id": 0, "eos_token_id": 0, "initializer_range": 0.1}
    shape |= {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    model = GPT2LMHeadModel(GPT2Config(**shape))
    optimizer, history = torch.optim.AdamW(model.parameters(), lr=learning_rate, fused=True), []
    for step in range(steps):
        ids, certain = games(BATCH, seed=seed * 1_000_003 + step)
        logits, answers = model(ids).logits[:, :-1], ids[:, 1:]  # [games, 63, words], [games, 63]
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), answers.flatten())
        right = (logits.argmax(-1) == answers)[certain]
        history.append({"step": step, "loss": loss.item(), "accuracy": right.float().mean().item()})
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model, history


@contextmanager
def _attending(model, how):
    """Another way to compute attention, without gradients; the default one again after it."""
    model.set_attn_implementation(how)
    try:
        with torch.no_grad():
            yield
    finally:
        model.set_attn_implementation("sdpa")


def attention(model, ids):
    """The attention of all layers [layers, games, places, places]: a row looks at the columns."""
    with _attending(model, "eager"):  # the default one is quicker and keeps no weights
        weights = model(ids, output_attentions=True).attentions
    return torch.stack(weights)[:, :, 0]


def look(model, n=50, seed=0):
    """How much each layer looks back by one place, and at what followed earlier: a `Look`.

    Example:
        >>> model, _ = train_echo(n_layer=2, steps=0)
        >>> round(look(model).back_chance, 3)
        0.032
    """
    ids, certain = games(n, seed=-1 - seed)
    weights, (_, place) = attention(model, ids)[:, :, :-1][:, certain], certain.nonzero().T
    found = []
    for aim in _aims(ids):  # [games, 64, 64]
        aim = aim[:, :-1][certain]  # [certain places, 64]
        found.append((weights * aim).sum(-1).mean(-1).tolist())
        found.append((aim.sum(-1) / (place + 1)).mean().item())
    return Look(*found)


def _aims(ids):
    """Where the word before is, and what followed the same word earlier: [games, 64, 64] each."""
    places = torch.arange(ids.shape[1])
    before = (places == places[:, None] - 1).expand(len(ids), -1, -1)
    earlier = (ids[:, :, None] == ids[:, None]) & (places < places[:, None])
    return before, earlier.roll(1, dims=2)


def surgery(model, cut=(), n=100, seed=0):
    """Play with some of the LOOKS of a model of two layers cut out: an `Outcome`, from one pass.

    What is cut gets the weight zero, and the other weights stay as they are.

    Raises:
        ValueError, TypeError: a look that is none of LOOKS, a model with more or fewer layers than
            two, no whole number of games above zero.

    Example:
        >>> model, _ = train_echo(n_layer=2, steps=0)
        >>> whole = surgery(model)
        >>> whole == surgery(model, LOOKS[:1]), whole.looks == surgery(model, LOOKS[-1:]).looks
        (False, True)
    """
    if unknown := set(cut) - set(LOOKS):
        raise ValueError(f"A look is one of {'; '.join(LOOKS)}, not {unknown.pop()!r}.")
    if not isinstance(model, GPT2LMHeadModel) or model.config.n_layer != 2:
        raise ValueError("The model must be one of train_echo(n_layer=2).")
    ids, certain = games(check_whole_number(n, "n"), seed=-1 - seed)
    before, after = _aims(ids)
    aims = dict(zip(LOOKS, (before, ~before, after, ~after), strict=True))
    kept = [aim & (look not in cut) for look, aim in aims.items()]
    weights = []  # of each layer [games, 64, 64]
    with _attending(model, "cut"):
        layers = [kept[0] | kept[1], kept[2] | kept[3]]
        logits = model(ids, kept=layers, weights=weights).logits[:, :-1][certain]
    looks = {
        look: (weights[n // 2] * aim)[:, :-1][certain].sum(-1).mean().item()
        for n, (look, aim) in enumerate(aims.items())
    }
    answers = ids[:, 1:][certain]
    accuracy = (logits.argmax(-1) == answers).float().mean().item()
    return Outcome(accuracy, torch.nn.functional.cross_entropy(logits, answers).item(), looks)


def _cut_attention(module, query, key, value, attention_mask, kept, weights, **_):
    """GPT-2's attention, of which only the weights that are `kept` in a layer carry anything."""
    scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5  # [games, 1, 64, 64]
    later = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    all_weights = scores.masked_fill(later, float("-inf")).softmax(-1)
    weights.append(all_weights[:, 0])
    cut = all_weights * kept[module.layer_idx][:, None]
    return (cut @ value).transpose(1, 2), cut


AttentionInterface.register("cut", _cut_attention)


def smoothed(history, over=20):
    """The accuracy of each step, averaged with that of the steps before it, `over` steps in all.

    Example:
        >>> smoothed([{"accuracy": 0.0}, {"accuracy": 1.0}, {"accuracy": 1.0}], over=2)
        [0.0, 0.5, 1.0]
    """
    values = [report["accuracy"] for report in history]
    parts = (values[max(0, end - over) : end] for end in range(1, len(values) + 1))
    return [sum(part) / len(part) for part in parts]


def moment(history, level=0.5):
    """The first step whose smoothed accuracy reaches a level; None if none does."""
    return next((step for step, value in enumerate(smoothed(history)) if value >= level), None)
