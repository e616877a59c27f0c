"""The echo game of notebook 04 over five seeds: what two layers learn and one does not, when, and
at which rate.
"""

import nbformat
import pytest

from helpers.lab.echo import look, moment, smoothed, train_echo
from tests.support.notebook_plugin import ROOT

SEEDS = range(5)


@pytest.fixture(scope="module")
def settings():
    """The settings of the notebook."""
    notebook = nbformat.read(ROOT / "notebooks" / "04_emergent_abilities.ipynb", as_version=4)
    names = {}
    exec(next(cell.source for cell in notebook.cells if cell.id == "echo-settings"), names)
    return names


def train(n_layer, learning_rate, steps, seed):
    model, history = train_echo(n_layer, learning_rate, steps, seed)
    return look(model), moment(history), smoothed(history, over=50)[-1]


def test_two_layers_jump_and_one_does_not(settings, report):
    found = {}
    for seed in SEEDS:
        for n_layer in (1, 2):
            seen, jump, end = train(n_layer, settings["rate"], settings["steps"], seed)
            found.setdefault(n_layer, []).append((jump, end))
            heads = ", ".join(f"{share:.2f}" for share in seen.induction)
            rest = f"looks up {heads}, by chance {seen.induction_chance:.2f}"
            name = f"{n_layer} layer{'s'[: n_layer - 1]}, seed {seed}"
            report(f"echo, {name}: ends at {end:.3f}, passes 0.5 at step {jump}; {rest}")
    jumps = [jump for jump, _ in found[2]]
    report(f"echo: the jump of two layers comes at steps {min(jumps)} to {max(jumps)}")
    assert min(end for _, end in found[2]) > 0.85
    assert max(end for _, end in found[1]) < 0.45


def test_where_the_jump_does_not_come(settings, report):
    high = settings["too_high"]
    ends = [train(2, high, settings["steps"], seed)[-1] for seed in SEEDS]
    report(
        f"echo, 2 layers, learning rate {high}: ends at {', '.join(f'{end:.3f}' for end in ends)}"
    )
    assert max(ends) < 0.5


def test_the_best_that_one_layer_does(settings, report):
    rates = (settings["rate"], 2e-3, settings["too_high"])
    ends = {rate: train(1, rate, 2 * settings["steps"], 0)[-1] for rate in rates}
    found = ", ".join(f"{end:.3f} at {rate}" for rate, end in ends.items())
    report(f"echo, 1 layer, {2 * settings['steps']} steps: ends at {found}")
    assert max(ends.values()) < 0.45
