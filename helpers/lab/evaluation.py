"""How far a model is from the truth: its loss on unseen text beside the floor, token by token.

Model and truth are measured on the same documents, so their difference has a far smaller error than
either.
"""

import functools
import random
from typing import NamedTuple

import numpy as np
import torch

from helpers._plumbing.checks import check_share, check_whole_number
from helpers._plumbing.passes import checked_logits
from helpers.lab import pocketweb
from helpers.lab.architecture import check_objective
from helpers.lab.estimates import Estimate, mean_per_token

UNSEEN_SEED = 20_260_101  # never used for training
APART = ("echo", "sums")  # a masked model learns them late; "without echo and sums" is measured too


class Unseen(NamedTuple):
    """Documents no model was trained on, the tokens that are asked, and the truth about them."""

    objective: str
    documents: list
    positions: list  # for each document, the asked positions in (*tokens, end)
    truth: list  # for each document, ln p of those tokens in nats


def unseen(objective, n_documents=1000, share=1.0, genres=None, seed=UNSEEN_SEED):
    """Draw documents and compute the truth: all next tokens, or a random share of the blanks.

    The same arguments give the same object.

    Raises:
        ValueError, TypeError: an objective other than "causal" and "masked", a genre that does not
            exist, no whole number of documents above zero, a share outside of 0 to 1.

    Example:
        >>> exam = unseen("causal", n_documents=3)
        >>> len(exam.positions[0]) == len(exam.documents[0].tokens) + 1
        True
    """
    check_objective(objective)
    check_whole_number(n_documents, "n_documents")
    share, seed = check_share(share, "share"), check_whole_number(seed, "seed", 0)
    return _unseen(objective, n_documents, share, pocketweb.language(genres), seed)


@functools.cache
def _unseen(objective, n_documents, share, language, seed):
    rng = random.Random(seed)
    documents = language.sample(n_documents, seed)
    if objective == "causal":
        positions = [list(range(len(document.tokens) + 1)) for document in documents]
    else:
        positions = [[i for i in range(len(d.tokens)) if rng.random() < share] for d in documents]
    truth = [language.log_probs(objective, *one) for one in zip(documents, positions, strict=True)]
    return Unseen(objective, documents, positions, truth)


def model_log_probs(lm, exam, batch_tokens=2048):
    """ln p of every asked token under the model, in nats, as a list for each document.

    Example:
        >>> from helpers.models import load_causal_lm
        >>> exam = unseen("causal", n_documents=3)
        >>> [len(values) for values in model_log_probs(load_causal_lm("pocket-gpt2"), exam)] == [
        ...     len(positions) for positions in exam.positions]
        True
    """
    rows = []  # (document, positions, token ids)
    if exam.objective != lm.kind or not lm.knows_whole_words_only:
        needed = f"a {exam.objective} model with PocketWeb's own tokens"
        raise ValueError(f"This exam needs {needed}; {lm.name!r} is another. Use a pocket model.")
    for index, (document, positions) in enumerate(zip(exam.documents, exam.positions, strict=True)):
        ids = lm.tokenizer(document.text + pocketweb.END).input_ids
        if len(ids) != len(document.tokens) + 2:
            raise ValueError(f"{lm.name!r} has no tokens of their own for words of this exam.")
        asked = [positions] if exam.objective == "causal" else [[p] for p in positions]
        rows += [(index, one, ids) for one in asked]
    if (longest := max((len(ids) for *_, ids in rows), default=0)) > lm.context:
        reads = f"{lm.name!r} reads at most {lm.context:,}"
        raise ValueError(f"A document has {longest:,} tokens, and {reads}. Leave it out.")
    rows.sort(key=lambda row: len(row[2]))
    found = [{} for _ in exam.documents]
    while rows:
        size = max(1, batch_tokens // len(rows[-1][2]))
        rows, batch = rows[:-size], rows[-size:]
        for index, position, log_prob in _score(lm, batch):
            found[index][position] = log_prob
    asked = zip(found, exam.positions, strict=True)
    return [[values[p] for p in positions] for values, positions in asked]


@torch.inference_mode()
def _score(lm, batch):
    """(document, position, ln p) of each asked token; there are scores only where one is asked."""
    causal, asked = lm.kind == "causal", []
    inputs = torch.full((len(batch), max(len(ids) for *_, ids in batch)), lm.tokenizer.pad_token_id)
    for row, (index, positions, ids) in enumerate(batch):
        inputs[row, : len(ids)] = torch.tensor(ids)
        if not causal:
            inputs[row, positions[0] + 1] = lm.tokenizer.mask_token_id
        asked += [(index, place, row, ids[place + 1]) for place in positions]
    documents, positions, rows, targets = zip(*asked, strict=True)
    places = [position + (not causal) for position in positions]  # the start stands in front
    is_text = (inputs != lm.tokenizer.pad_token_id).long().to(lm.model.device)
    body = lm.model.base_model(inputs.to(lm.model.device), attention_mask=is_text)
    head = lm.model.lm_head if causal else lm.model.cls
    logits = checked_logits(lm, head(body.last_hidden_state[rows, places])).cpu()  # [asked, vocab]
    log_probs = logits.double().log_softmax(-1)[range(len(asked)), targets]
    return zip(documents, positions, log_probs.tolist(), strict=True)


class Gap(NamedTuple):
    """Loss of a model, floor, and their difference, each an Estimate in nats per token."""

    loss: Estimate
    floor: Estimate
    gap: Estimate


def gap_to_floor(lm, exam):
    """A model's loss above the floor, on the same tokens: {"all", genre, ...: Gap}.

    Example:
        >>> from helpers.models import load_causal_lm
        >>> gaps = gap_to_floor(load_causal_lm("pocket-gpt2"), unseen("causal", n_documents=20))
        >>> gaps["all"].loss.nats > gaps["all"].floor.nats
        True
    """
    model = model_log_probs(lm, exam)
    counts = np.array([len(p) for p in exam.positions])
    model_sums, truth_sums = (-np.array([sum(values) for values in v]) for v in (model, exam.truth))
    genres = np.array([document.genre for document in exam.documents])
    groups = {"all": counts > 0, f"without {' and '.join(APART)}": ~np.isin(genres, APART)}
    groups |= {genre: genres == genre for genre in dict.fromkeys(genres.tolist())}
    out = {}
    for name, chosen in groups.items():
        if counts[chosen].sum():
            sums = model_sums[chosen], truth_sums[chosen], model_sums[chosen] - truth_sums[chosen]
            out[name] = Gap(*(mean_per_token(s, counts[chosen]) for s in sums))
    return out
