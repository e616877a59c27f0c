"""One model under two attention masks: the one it was trained with, and the other family's.

The weights stay. A causal mask lets each token see itself and what is before it; without a mask
each sees the whole text. The ruler is the same for both models: the surprise above what is
unavoidable when only the left side is known.
"""

import random

import torch

from helpers._plumbing.checks import check_whole_number
from helpers.lab import pocketweb
from helpers.lab.estimates import mean_per_token
from helpers.lab.evaluation import Unseen

MASKS = ("causal mask", "no mask")


@torch.no_grad()
def log_probs_under(lm, mask, document, places):
    """ln p, in nats, of a Document's tokens at these places, under one of the MASKS: [n_places].

    A causal model is asked for the token after the one it reads. A masked model gets one [MASK] at
    a time in the whole document, with its end.

    Raises:
        ValueError: another mask.

    Example:
        >>> from helpers.models import load_masked_lm
        >>> story = pocketweb.language("story").sample(1, seed=0)[0]
        >>> len(log_probs_under(load_masked_lm("pocket-bert"), "causal mask", story, [0, 5]))
        2
    """
    if mask not in MASKS:
        raise ValueError(f"The mask must be one of {', '.join(MASKS)}, not {mask!r}.")
    ids = lm.tokenizer(document.text + pocketweb.END, return_tensors="pt").input_ids
    ids, places = ids.to(lm.model.device), torch.tensor(places)
    n, each, right = ids.shape[1], torch.arange(len(places)), ids[0, places + 1]
    hidden = torch.zeros(n, n, device=ids.device)  # added to the attention scores
    if mask == "causal mask":
        hidden = torch.full_like(hidden, -torch.inf).triu(1)
    if lm.kind == "causal":
        rows, at, head = ids, (0, places), lm.model.lm_head
    else:
        rows, at, head = ids.repeat(len(places), 1), (each, places + 1), lm.model.cls
        rows[at] = lm.tokenizer.mask_token_id
    hidden = hidden.expand(len(rows), 1, n, n)
    states = lm.model.base_model(rows, attention_mask=hidden).last_hidden_state[at]
    return head(states).double().log_softmax(-1)[each, right].tolist()


def every_nth(documents, n):
    """The documents with every n-th of their tokens asked, from a random start: an `Unseen`.

    The truth is that of the left side. The end is never asked. No document may be shorter than n.

    Example:
        >>> exam = every_nth(pocketweb.language().sample(2, seed=0), 2)
        >>> len(exam.positions[0]) == len(exam.truth[0])
        True
    """
    draw = random.Random(0)
    check_whole_number(len(documents), "the number of documents")
    check_whole_number(n, "n", 1, min(len(document.tokens) for document in documents))
    places = [[*range(len(it.tokens))][draw.randrange(n) :: n] for it in documents]
    asked = zip(documents, places, strict=True)
    truth = [pocketweb.language().log_probs("causal", *one) for one in asked]
    return Unseen("causal", documents, places, truth)


def above_the_floor(lm, mask, exam):
    """A model's surprise above the causal floor under a mask: an Estimate in nats per token.

    Only a model that sees more than the left side can stay below 0 in the long run.

    Example:
        >>> from helpers.models import load_causal_lm
        >>> exam = every_nth(pocketweb.language().sample(5, seed=0), 2)
        >>> above_the_floor(load_causal_lm("pocket-gpt2"), "no mask", exam).nats > 1
        True
    """
    asked = zip(exam.documents, exam.positions, strict=True)
    said = [sum(log_probs_under(lm, mask, *one)) for one in asked]
    excess = [sum(truth) - log_p for truth, log_p in zip(exam.truth, said, strict=True)]
    return mean_per_token(excess, [len(places) for places in exam.positions])
