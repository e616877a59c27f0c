"""What a causal language model says of the next token at one place of a text, as bars.

The model runs once for each place; a change of a knob only looks at the place again.
"""

import math
from typing import NamedTuple

import torch

from helpers._plumbing.passes import read_on
from helpers.explorers._bars import Bar, axis_end
from helpers.generation import distribution, kept_by
from helpers.lab import pocketweb

TOKENS_SHOWN = 10  # bars; two more rows sum up the rest of the vocabulary
COLD = 0.3  # the temperature at which the axis still holds the longest bar


class Place(NamedTuple):
    """Where a text stands, and all that the sliders need to know of its next token."""

    ids: torch.Tensor  # [1, n_tokens]
    cache: object  # what the model keeps of ids; None: it has to read them again
    logits: torch.Tensor  # [vocab]
    truth: torch.Tensor | None  # exact probabilities [vocab]: of a pocket model, in its language
    highest: float  # probability at temperature COLD


def reach(lm, text, ids, cache=None):
    """Read a text with token ids [1, n_tokens], or with a cache only its last token."""
    rows, cache = read_on(lm, ids, cache)
    logits = rows[0].cpu()  # [vocab]
    highest = (logits / COLD).softmax(-1).max().item()
    return Place(ids, cache, logits, _truth(lm, text), highest)


def _truth(lm, text):
    """The exact probabilities [vocab] of the next token, where they are known; else None."""
    exact = pocketweb.next_token(text) if lm.knows_whole_words_only else {}
    if not exact:
        return None
    ids = lm.tokenizer(list(exact), add_special_tokens=False).input_ids  # each is one token
    truth = torch.zeros(len(lm.vocabulary), dtype=torch.float64)
    chances = torch.tensor(list(exact.values()), dtype=torch.float64)
    return truth.index_copy(0, torch.tensor(ids)[:, 0], chances)


def axis_at(place, bars):
    """Where the axis of a place ends, in per cent, while its bars are these.

    It holds the longest of them and the longest at temperature 0.3, so that it stays as it is while
    the sliders move, and only the bars change.
    """
    return axis_end(bars, [Bar("", place.highest)])


def bars_at(lm, place, temperature, top_k, top_p=None, shown=TOKENS_SHOWN):
    """The bars of a place at a setting, the sentence and the caption about them."""
    probabilities = distribution(place.logits, temperature, top_k, top_p)  # [vocab]
    before = distribution(place.logits, temperature)  # [vocab], without the cut
    kept = kept_by(place.logits / temperature, top_k, top_p)  # [vocab]
    drawn, truth, words = torch.where(kept, probabilities, before), place.truth, lm.vocabulary
    # No temperature changes their order
    shown = place.logits.topk(min(shown, len(kept))).indices
    bars = [Bar(words[i], drawn[i].item(), kept[i].item(), _at(truth, i)) for i in shown.tolist()]
    rest = torch.ones_like(kept).index_fill(0, shown, False)
    for word, part in (("kept", rest & kept), ("cut", rest & ~kept)):
        if n := part.sum().item():
            others = f"{n:,} other{'s' * (n != 1)} {word}", drawn[part].sum().item(), word == "kept"
            bars.append(Bar(*others, _at(truth, part), is_token=False))
    sentence = (
        f"temperature {temperature:.2f}, top-k {top_k or 'off'}"
        f"{f', top-p {top_p:.2f}' if top_p else ''}: "
        f"{kept.sum().item():,} of {len(kept):,} tokens kept, "
        f"{100 * before[kept].sum().item():.1f} % of the probability; {_unsure(probabilities)}"
    )
    caption = f"{lm.name}; · is a space, ⏎ a new line."
    caption += "" if truth is None else " The truth is that of temperature 1 with nothing cut."
    return bars, sentence, caption


def _at(truth, part):
    return None if truth is None else truth[part].sum().item()


def _unsure(probabilities):
    nats = torch.special.entr(probabilities).sum().item()
    words = f"{math.exp(nats):,.{+(nats < 2.3)}f} equally likely words"
    return f"as unsure as picking from {words} (entropy {nats:.2f} nats)"
