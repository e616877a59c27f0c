"""A masked model writes: a page with blanks, filled a few tokens a round until none is left.

In each round the model reads the whole page. Some of its blanks get a token, drawn from the
model's probabilities, and keep it.
"""

import bisect
from typing import NamedTuple

import torch

from helpers._plumbing.checks import check_text, check_whole_number
from helpers._plumbing.passes import blank_logits
from helpers.lab import pocketweb

ORDERS = ("left to right", "surest first", "random")


class Page(NamedTuple):
    """Token ids, start and end included, blanks among them, and how they are to be filled."""

    ids: tuple
    order: str
    per_round: int
    seed: int = 0


def with_blanks(lm, text, n_blanks, seed=0):
    """The token ids of a whole text, n of its tokens hidden; more blanks hide the same and others.

    Raises:
        ValueError, TypeError: more blanks than tokens, a causal model, what `fill_mask` would
            refuse.

    Example:
        >>> from helpers.models import load_masked_lm
        >>> lm = load_masked_lm("pocket-bert")
        >>> lm.tokenizer.decode(with_blanks(lm, "The cat sat on the mat.", 7)).count("[MASK]")
        7
    """
    ids = check_text(lm, text + pocketweb.END, "masked").input_ids[0]
    check_whole_number(n_blanks, "n_blanks", 0, len(ids) - 2)
    order = torch.randperm(len(ids) - 2, generator=torch.Generator().manual_seed(seed))
    ids[order[:n_blanks] + 1] = lm.tokenizer.mask_token_id
    return tuple(ids.tolist())


def fill_pages(lm, pages):
    """What is on each Page round after round: lists of token ids, the first as given.

    "surest first" takes the blanks where one token is likeliest. Each place of a page has one
    random number, which chooses its token whenever its turn comes; so orders can be compared.

    Raises:
        ValueError, TypeError: a page whose order is not one of ORDERS, or that has no whole number
            of tokens a round above zero.

    Example:
        >>> from helpers.models import load_masked_lm
        >>> lm = load_masked_lm("pocket-bert")
        >>> page = Page(with_blanks(lm, "The cat sat on the mat.", 4), "surest first", 2)
        >>> len(fill_pages(lm, [page])[0])
        3
    """
    if wrong := {page.order for page in pages} - set(ORDERS):
        raise ValueError(f"The order must be one of {', '.join(ORDERS)}, not {wrong.pop()!r}.")
    for page in pages:
        check_whole_number(page.per_round, "per_round")
    blank, states = lm.tokenizer.mask_token_id, [[list(page.ids)] for page in pages]
    draws = [torch.Generator().manual_seed(page.seed) for page in pages]
    luck = [torch.rand(2, len(p.ids), generator=d) for p, d in zip(pages, draws, strict=True)]
    while todo := [i for i, rounds in enumerate(states) if blank in rounds[-1]]:
        scores = blank_logits(lm, [torch.tensor(states[i][-1]) for i in todo])
        for i, logits in zip(todo, scores, strict=True):
            states[i].append(_next_round(pages[i], states[i][-1], blank, logits, luck[i]))
    return states


def _next_round(page, ids, blank, logits, luck):
    """The ids with some blanks filled, from the logits [n_blanks, vocab] of all."""
    places = torch.tensor([place for place, token in enumerate(ids) if token == blank])
    chances = logits.double().softmax(-1)
    ranks = (places.double(), -chances.amax(-1), luck[1, places])[ORDERS.index(page.order)]
    filled = list(ids)
    for n in ranks.argsort()[: page.per_round].tolist():
        token = torch.searchsorted(chances[n].cumsum(-1), luck[0, places[n]].double())
        filled[places[n]] = min(token.item(), len(chances[n]) - 1)
    return filled


def possible_tokens(text):
    """With how many of its tokens a PocketWeb document can begin, of how many: (n, all).

    Example:
        >>> possible_tokens("The cat sat on the moon.")
        (5, 7)
    """
    tokens = pocketweb.tokenize(text)

    def impossible(n):
        return not pocketweb.is_possible("".join(tokens[: n + 1]))

    return bisect.bisect_left(range(len(tokens)), True, key=impossible), len(tokens)
