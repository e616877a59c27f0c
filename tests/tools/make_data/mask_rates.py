"""Train pairs of small masked models, a little or much hidden: `helpers/data/mask_rates.csv`.

One of a pair hides 15, the other 40 of a hundred tokens. They have the same first weights and read
the same texts, so that their difference is that of the share of blanks and of the masks drawn.
Every pair has an exam of its own. Started again, it goes on where it stopped.
"""

from tqdm.auto import tqdm

from helpers._plumbing.files import DATA
from helpers.lab import tables
from helpers.lab.evaluation import UNSEEN_SEED, gap_to_floor, unseen
from helpers.lab.pretraining import pretrain
from tests.tools.make_data import write_table

MADE_BY = "python -m tests.tools.make_data mask_rates; on CPU"
GENRES = ("role", "work")
SHAPE = {"n_layer": 2, "d_model": 64, "n_head": 4}
RECIPE = {"learning_rate": 5e-3, "tokens_per_step": 512, "warmup_steps": 60, "genres": GENRES}
DECAY = {250: 80, 1000: 400, 4000: 1600}  # steps of decay at the end, by the steps in all
PAIRS = {250: 8, 1000: 8, 4000: 4}  # seeds 0, 1, 2 ... for each length
RATES = (0.15, 0.40)


def measure(steps, seed, mask_rate):
    """A row of the table: the gap of one model to the floor of one blank, in nats per token."""
    settings = {**RECIPE, **SHAPE, "decay_steps": DECAY[steps], "seed": seed}
    lm, history = pretrain("masked", steps, mask_rate=mask_rate, **settings)
    exam = unseen("masked", 100, share=0.3, genres=GENRES, seed=UNSEEN_SEED + seed)
    gap = gap_to_floor(lm, exam)["all"].gap.nats
    row = {"steps": steps, "seed": seed, "mask_rate": mask_rate}
    return row | {"tokens": history[-1]["tokens"], "gap": round(gap, 4)}


def make_table(path=DATA / "mask_rates.csv", pairs=PAIRS):
    """Measure what the table lacks, the short runs first, and write it whole after every run."""
    rows = tables.read(path.stem).to_dict("records") if path.exists() else []
    done = {(row["steps"], row["seed"], row["mask_rate"]) for row in rows}
    plan = [(steps, seed) for steps, n in pairs.items() for seed in range(n)]
    runs = [(*pair, rate) for pair in plan for rate in RATES if (*pair, rate) not in done]
    for run in tqdm(runs):
        rows.append(measure(*run))
        write_table(path, MADE_BY, rows)


def add_arguments(parser):
    """None: the plan is what this file says."""


def run(_):
    make_table()
