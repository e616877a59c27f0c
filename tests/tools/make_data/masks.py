"""Measure both pocket models under both attention masks, by genre: `helpers/data/masks.csv`."""

from helpers._plumbing.files import DATA
from helpers.lab import pocketweb
from helpers.lab.masks import MASKS, above_the_floor, every_nth
from helpers.models import load_causal_lm, load_masked_lm
from tests.tools.make_data import write_table

N_DOCUMENTS, SEED, EVERY = 60, 22, 2  # of each genre; every second token is asked


def rows(genres):
    """One dict for each of the genres, model and mask: nats per token above the causal floor."""
    lms = load_causal_lm("pocket-gpt2", device="cpu"), load_masked_lm("pocket-bert", device="cpu")
    for genre in genres:
        documents = pocketweb.language([genre]).sample(N_DOCUMENTS, SEED)
        exam = every_nth(documents, EVERY)
        n_tokens = sum(map(len, exam.positions))
        for lm in lms:
            for mask in MASKS:
                nats, error = above_the_floor(lm, mask, exam)
                found = {"genre": genre, "model": lm.name, "mask": mask, "n_tokens": n_tokens}
                yield found | {"nats_above_causal_floor": nats, "standard_error": error}


def add_arguments(parser):
    """None: which documents are asked is fixed above."""


def run(_):
    write_table(
        DATA / "masks.csv",
        "python -m tests.tools.make_data masks",
        list(rows(pocketweb.language().genres)),
    )
