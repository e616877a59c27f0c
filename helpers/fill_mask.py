"""Fill blanks with a masked language model.

`fill_mask` gives the numbers of transformers' `pipeline("fill-mask")`, with three differences:
"[MASK]" works for every model, whatever its own mask token is; words to choose among are read where
they would stand, with the space before them; and a word that is not one token is refused instead of
replaced. Several blanks are filled independently.
"""

import re
from typing import NamedTuple

from helpers._plumbing.checks import (
    check_targets,
    check_text,
    check_whole_number,
    warn_of_unknown_words,
)
from helpers._plumbing.passes import blank_logits
from helpers._plumbing.words import warn

BLANK = "[MASK]"


class Candidate(NamedTuple):
    """A token for a blank."""

    token: str  # without the space before it
    probability: float  # among all tokens of the vocabulary
    token_id: int
    text: str  # the whole text with the token in its place, as the tokenizer spells it


def fill_mask(lm, text, top_k=5, targets=None):
    """The likeliest tokens for the blank "[MASK]": for several blanks, a list for each.

    Args:
        text: holds at least one [MASK]; the model's own mask token, such as <mask>, is understood
            too.
        top_k: how many candidates at most, also with targets.
        targets: the only words to consider, each one token of the model. Their probabilities remain
            shares of the whole vocabulary. RoBERTa and pocket-bert count the space before a word to
            the word: where one stands before the blank, "cat" means their token " cat".

    Raises:
        ValueError, TypeError: no blank, an empty or too long text, a target that is not one token,
            `top_k` below 1; weights that are not numbers.

    Example:
        >>> from helpers.models import load_masked_lm
        >>> lm = load_masked_lm("pocket-bert")
        >>> len(fill_mask(lm, "Once upon a [MASK]")), len(fill_mask(lm, "[MASK] upon a [MASK]"))
        (5, 2)
    """
    return fill_masks(lm, [text], top_k, targets)[0]


def fill_masks(lm, texts, top_k=5, targets=None):
    """What `fill_mask` says of each of several texts, from one pass of the model where they fit.

    Example:
        >>> from helpers.models import load_masked_lm
        >>> lm = load_masked_lm("pocket-bert")
        >>> [len(found) for found in fill_masks(lm, ["The [MASK]", "The [MASK] sat"], top_k=3)]
        [3, 3]
    """
    own = getattr(getattr(lm, "tokenizer", None), "mask_token", None) or BLANK
    asked = []
    if not texts:
        return asked
    for text in texts:
        text = text.replace(BLANK, own) if isinstance(text, str) else text
        ids, size = check_text(lm, text, "masked").input_ids[0], lm.model.config.vocab_size
        if lm.tokenizer.mask_token_id not in ids.tolist():
            where = 'Write it where the blank is, as in "The [MASK] sat down."'
            raise ValueError(f"The text has no [MASK]. {where}")
        spaces = [text[: it.start()].endswith(" ") for it in re.finditer(re.escape(own), text)]
        choices = [range(size)] * len(spaces)
        if targets is not None:
            choices = [check_targets(lm, targets, space) for space in spaces]
        asked.append((text, ids, spaces, choices))
    if (top_k := check_whole_number(top_k, "top_k")) > size:
        warn(f"top_k={top_k} exceeds the {size:,} tokens of the vocabulary: all come.")
    for text, *_ in asked:
        warn_of_unknown_words(lm, text)
    logits = blank_logits(lm, [ids for _, ids, *_ in asked])
    both = zip(logits, asked, strict=True)
    return [_candidates(lm, scores, *one[1:], top_k) for scores, one in both]


def _candidates(lm, logits, ids, spaces, choices, top_k):
    """The Candidates for the blanks of a text, from their logits [n_blanks, vocab]."""
    places = (ids == lm.tokenizer.mask_token_id).nonzero()[:, 0].tolist()
    results = []
    for n, (probabilities, choice) in enumerate(zip(logits.softmax(-1), choices, strict=True)):
        shares, ranks = probabilities[list(choice)].topk(min(top_k, len(choice)))
        candidates = []
        for share, token in zip(shares.tolist(), [choice[rank] for rank in ranks], strict=True):
            whole = _filled(lm, ids, places, n, token, spaces)
            candidates.append(Candidate(lm.tokenizer.decode([token]).strip(), share, token, whole))
        results.append(candidates)
    return results[0] if len(results) == 1 else results


def _filled(lm, ids, places, n, token, spaces):
    """The text of ids [n_tokens] with a token in the n-th blank; others are shown as "[MASK]"."""
    row = ids.clone()
    row[places[n]] = token
    if len(places) == 1:
        return lm.tokenizer.decode(row, skip_special_tokens=True)
    unshown = set(lm.tokenizer.all_special_ids) - {lm.tokenizer.mask_token_id}
    text = lm.tokenizer.decode([i for i in row.tolist() if i not in unshown])
    others = iter(spaces[:n] + spaces[n + 1 :])
    own = re.escape(lm.tokenizer.mask_token)
    return re.sub(rf" ?{own}", lambda _: " " * next(others, False) + BLANK, text)
