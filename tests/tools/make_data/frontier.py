"""Draw texts of pocket-gpt2 at a grid of settings, and measure them: `helpers/data/frontier.csv`.

The same seed everywhere, and more texts than a page can draw while its reader waits.
"""

import itertools

from helpers._plumbing.files import DATA
from helpers.lab.frontier import frontier
from helpers.models import load_causal_lm
from tests.tools.make_data import write_table

PROMPT, N_TEXTS, SEED = "What is a", 512, 29
TEMPERATURES = (0.3, 0.5, 0.7, 0.85, 1.0, 1.25, 1.5, 2.0)
CUTS = ((None, None), (50, None), (10, None), (3, None), (None, 0.9), (None, 0.5))
SETTINGS = [(t, *cut) for cut, t in itertools.product(CUTS, TEMPERATURES)]


def table(settings=SETTINGS, n_texts=N_TEXTS):
    return frontier(load_causal_lm("pocket-gpt2", device="cpu"), PROMPT, settings, n_texts, SEED)


def add_arguments(parser):
    """None: the settings are fixed above."""


def run(_):
    write_table(DATA / "frontier.csv", "python -m tests.tools.make_data frontier", table())
