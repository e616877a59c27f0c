"""Let pocket-bert fill pages with more and more blanks, in three orders: `helpers/data/pages.csv`.

The same pages, whole PocketWeb documents of at most 40 tokens, are used for every setting.
"""

import numpy as np

from helpers._plumbing.files import DATA
from helpers.lab import pocketweb
from helpers.lab.filling import ORDERS, Page, fill_pages, possible_tokens, with_blanks
from helpers.models import load_masked_lm
from tests.tools.make_data import write_table

N_PAGES, SEED, LONGEST = 150, 23, 40
HIDDEN = (15, 30, 50, 70, 90, 100)  # per cent of the tokens
SETTINGS = [(order, per_round) for order in ORDERS for per_round in (1, 2, 4)]
SETTINGS.append(("random", LONGEST))  # all at once, where the order does not matter


def texts(n_pages=N_PAGES):
    drawn = pocketweb.language().sample(3 * n_pages, SEED)
    return [document.text for document in drawn if len(document.tokens) <= LONGEST][:n_pages]


def rows(n_pages=N_PAGES):
    """One dict for each setting: the share of possible texts, and of possible beginnings."""
    lm, chosen = load_masked_lm("pocket-bert", device="cpu"), texts(n_pages)
    sizes = [len(pocketweb.tokenize(text)) for text in chosen]
    for hidden in HIDDEN:
        blanks = [max(1, round(n * hidden / 100)) for n in sizes]
        given = [
            with_blanks(lm, *page, seed)
            for seed, page in enumerate(zip(chosen, blanks, strict=True))
        ]
        for order, per_round in SETTINGS:
            pages = [Page(ids, order, per_round, seed) for seed, ids in enumerate(given)]
            written = [lm.tokenizer.decode(rounds[-1][1:]) for rounds in fill_pages(lm, pages)]
            reached = np.array([possible_tokens(text) for text in written])
            whole, share = reached[:, 0] == reached[:, 1], reached[:, 0] / reached[:, 1]
            yield {
                "hidden_percent": hidden,
                "order": order,
                "per_round": per_round,
                "n_pages": len(pages),
                "possible": whole.mean(),
                "standard_error": whole.std() / len(pages) ** 0.5,
                "possible_beginning": share.mean(),
            }


def add_arguments(parser):
    """None: the settings are fixed above."""


def run(_):
    write_table(DATA / "pages.csv", "python -m tests.tools.make_data pages", list(rows()))
