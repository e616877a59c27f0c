"""Compute the lowest losses that any model could reach, for `helpers/data/floors.json`."""

import json

import numpy as np

from helpers._plumbing.files import DATA, written_whole
from helpers.lab import pocketweb
from helpers.lab.estimates import Estimate, mean_per_token
from helpers.lab.evaluation import unseen

N_DOCUMENTS = 5_000
SHARE = {"causal": 1.0, "masked": 0.3}  # of the tokens of a document, how many are asked


def floors(exam):
    """The floor of all of PocketWeb, and on the documents of each genre in it: {"all" or genre:
    Estimate}.

    How often each genre comes is known, so "all" weighs the genres by their true shares (stratified
    mean, delta method), which halves the error of a plain mean.

    Example:
        >>> found = floors(unseen("causal", n_documents=300))
        >>> found["echo"].nats > found["explanation"].nats
        True
    """
    genres = np.array([document.genre for document in exam.documents])
    sums, counts = (
        np.array([f(values) for values in exam.truth], float) for f in (lambda v: -sum(v), len)
    )
    shares = {
        genre: share for genre, share in pocketweb.language().shares.items() if genre in genres
    }
    of = {genre: genres == genre for genre in shares}
    per_document = sum(share * counts[of[genre]].mean() for genre, share in shares.items())
    mean = sum(share * sums[of[genre]].mean() for genre, share in shares.items()) / per_document
    residual = sums - mean * counts
    variance = sum(
        share**2 * residual[of[genre]].var() / of[genre].sum() for genre, share in shares.items()
    )
    out = {"all": Estimate(float(mean), float(np.sqrt(variance) / per_document))}
    return out | {genre: mean_per_token(sums[of[genre]], counts[of[genre]]) for genre in shares}


def add_arguments(parser):
    """None: which documents are asked is fixed above."""


def run(_):
    found = {
        "made_by": "python -m tests.tools.make_data floors",
        "unit": "nats per token, [mean, standard error]",
    }
    found |= {
        objective: floors(unseen(objective, N_DOCUMENTS, share))
        for objective, share in SHARE.items()
    }
    with written_whole(DATA / "floors.json") as part:
        part.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
