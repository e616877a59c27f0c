"""The echo game over five seeds: `helpers/data/surgery.csv` and `helpers/data/echo.csv`.

surgery.csv holds what is left of the two-layer models of notebook 04 when looks are cut out;
echo.csv the end of all trainings, one layer and a learning rate that is too high among them.
"""

from helpers._plumbing.files import DATA
from helpers.lab.echo import LOOKS, moment, smoothed, surgery, train_echo
from tests.tools.make_data import write_table

SEEDS = range(5)
STEPS, RATE, TOO_HIGH = 1000, 1e-3, 1e-2  # of notebook 04
CUTS = {
    "nothing": (),
    "layer 1, at the word before": LOOKS[:1],
    "layer 1, at all else": LOOKS[1:2],
    "layer 2, after the same word": LOOKS[2:3],
    "layer 2, at all else": LOOKS[3:],
    "both, at all else": LOOKS[1::2],
}


def make_tables(folder=DATA, seeds=SEEDS, steps=STEPS):
    """Train and write both tables."""
    command = "python -m tests.tools.make_data surgery"
    trainings, outcomes = [], []
    for seed in seeds:
        for layers, rate in ((1, RATE), (2, TOO_HIGH), (2, RATE)):
            model, history = train_echo(layers, rate, steps, seed)
            end = {"jump_step": moment(history), "right": smoothed(history, over=50)[-1]}
            trainings.append({"layers": layers, "rate": rate, "seed": seed} | end)
        for cut, looks in CUTS.items():
            left = surgery(model, looks)
            outcome = {"right": left.accuracy, "nats": left.loss} | left.looks
            outcomes.append({"seed": seed, "cut": cut} | outcome)
    write_table(folder / "echo.csv", command, trainings)
    write_table(folder / "surgery.csv", command, outcomes)


def add_arguments(parser):
    """None: the plan is what this file says."""


def run(_):
    make_tables()
