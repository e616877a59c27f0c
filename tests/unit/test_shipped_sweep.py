"""The sweep that is shipped: complete, above the floor, trained near its best, and good for a
prediction.
"""

import itertools
import re

import numpy as np
import pytest

from helpers.lab import tables
from helpers.lab.abilities import RULERS
from helpers.lab.pretraining import LOOP
from helpers.lab.scaling import fit_scaling_law, predict_loss

POINT = ["objective", "d_model", "seed", "tokens", "rate_factor"]


@pytest.fixture(scope="module")
def sweep():
    return tables.read("sweep")


def at_rule(sweep, objective, seed=0):
    wanted = f"objective == {objective!r} and seed == {seed} and rate_factor == 1"
    return sweep.query(wanted)


@pytest.mark.parametrize("name", ["sweep", "abilities"])
def test_header_names_the_command_and_the_machine(name):
    command = r"python -m tests\.tools\.make_data sweep; on \w+, \d+ cores"
    assert re.fullmatch(command, tables.made_by(name))


@pytest.mark.parametrize(
    ("objective", "n_sizes", "n_tokens", "span"), [("causal", 8, 6, 100), ("masked", 6, 5, 20)]
)
def test_sizes_and_token_counts(sweep, objective, n_sizes, n_tokens, span):
    points = at_rule(sweep, objective)
    n, d = points.n_body_params, points.tokens
    assert n.nunique() >= n_sizes
    assert n.max() / n.min() >= span
    assert d.nunique() >= n_tokens
    assert (
        len(points)
        == n.nunique() * d.nunique()
        == len(points[["n_body_params", "tokens"]].drop_duplicates())
    )


def test_three_seeds_at_a_third_of_the_causal_points(sweep):
    again = []
    for seed in (1, 2):
        points = at_rule(sweep, "causal", seed)
        doublings = np.log2(points.tokens / 1e5).round()
        again.append(sorted(zip(points.d_model, doublings, strict=True)))
    assert again[0] == again[1]
    assert 3 * len(again[0]) >= len(at_rule(sweep, "causal"))


def test_every_family_counts_its_own_parameters(sweep):
    counts = sweep.pivot_table("n_params", "d_model", "objective").dropna()
    assert len(counts) >= 6
    assert (counts.causal != counts.masked).all()


@pytest.mark.parametrize("name", ["sweep", "abilities"])
def test_the_body_holds_nothing_for_each_token_of_the_vocabulary(name):
    """Counted on paper: attention, MLP and norms of a layer, and what comes once."""
    rows = tables.read(name)[["objective", "n_layer", "d_model", "n_body_params"]].drop_duplicates()
    layers, d = rows.n_layer, rows.d_model
    once = {"causal": 2 * d, "masked": 2 * d + d * (d + 1) + 2 * d}  # norms, BERT's head transform
    by_hand = layers * (12 * d**2 + 13 * d) + np.where(rows.objective == "causal", *once.values())
    assert rows.n_body_params.tolist() == by_hand.tolist()


def test_no_point_lies_below_the_floor(sweep):
    """Model and floor are measured on the same tokens, so the error is that of their difference."""
    assert (sweep.gap > -3 * sweep.gap_error).all()
    assert np.allclose(sweep.gap, sweep.loss - sweep.floor, atol=1e-4)
    assert sweep.gap_error.between(0, 0.1, inclusive="neither").all()
    assert (sweep[["seconds", "loss_error"]] > 0).all(axis=None)
    assert (sweep.flops > 6 * sweep.n_body_params * sweep.tokens).all()


def test_learning_rates_are_near_the_best(sweep):
    tried = sweep.pivot_table(
        "gap", ["objective", "d_model", "seed", "tokens"], "rate_factor"
    ).dropna()
    assert set(tried.index.get_level_values("objective")) == {"causal", "masked"}
    assert list(tried) == [0.5, 1, 2]
    assert (tried[1] <= 1.1 * tried.min(axis=1)).all()


def test_seeds_differ_far_less_than_sizes(sweep):
    points = sweep.query("objective == 'causal' and rate_factor == 1")
    doublings = np.log2(points.tokens / 1e5).round()
    same = points.groupby(["d_model", doublings]).gap.agg(["std", "mean", "count"])
    same = same[same["count"] == 3]
    assert len(same) >= 16
    assert (same["std"] < 0.15 * same["mean"]).all()


def test_the_loop_of_today_makes_the_same_points():
    """So a model that is trained today may be held against the sweep, which an older loop made.

    A causal run is the same one. A masked one has other blanks, and differs as another seed does.
    """
    old, new = (tables.read("sweep", loop).set_index(POINT) for loop in (tables.WHOLE_PLAN, LOOP))
    ratio = (new.gap / old.gap).dropna()  # of the points that both have made
    assert ratio.groupby("objective").size().to_dict() == {"causal": 4, "masked": 4}
    assert ratio["causal"].between(0.999, 1.001).all()
    assert ratio["masked"].between(0.9, 1.1).all()


def test_a_fit_never_mixes_loops(sweep):
    assert set(sweep.loop) == {tables.WHOLE_PLAN}
    assert set(tables.read("abilities").loop) == {tables.WHOLE_PLAN}


@pytest.fixture(scope="module")
def used(sweep):
    """What the fits of notebook 03 stand on: all but the shortest trainings, mostly warm-up."""
    return at_rule(sweep, "causal").query("tokens > 150_000")


def fitted(points, **options):
    return fit_scaling_law(points.n_body_params, points.tokens, points.loss, **options)


def test_the_law_predicts_the_largest_run(used):
    held = used.sort_values(["n_body_params", "tokens"]).iloc[-1]
    law = fitted(used.query("n_body_params < @held.n_body_params"), floor=held.floor)
    gap = predict_loss(law, held.n_body_params, held.tokens) - held.floor
    assert gap == pytest.approx(held.gap, rel=0.1)


def test_the_true_floor_lies_in_the_interval_of_the_fitted_one(used):
    low, high = fitted(used, n_bootstrap=100).interval("E")
    assert low < used.floor.iloc[0] < high


def test_at_the_most_text_a_straight_range(used):
    most = used.query("tokens == tokens.max()").sort_values("n_body_params")
    n, gap = np.log10(most.n_body_params.to_numpy()), np.log10(most.gap.to_numpy())
    straight = [
        n[j - 1] - n[i]
        for i, j in itertools.combinations(range(len(n) + 1), 2)
        if j - i >= 4 and np.corrcoef(n[i:j], gap[i:j])[0, 1] ** 2 >= 0.98
    ]
    assert max(straight) >= 1.3


def test_every_point_has_its_abilities(sweep):
    answers = tables.read("abilities").query("reads == 'all'")
    assert set(answers.ruler) == set(RULERS)
    assert len(answers) == len(sweep) * len(RULERS) * answers.ability.nunique()


def test_below_the_step_nobody_is_named():
    """As notebook 04 says: naming one of the people at random would score far more."""
    wanted = "reads == 'all' and objective == 'causal' and seed == 0 and rate_factor == 1"
    who = tables.read("abilities").query(f"{wanted} and ability == 'who did what to whom'")
    most = who.query("ruler == 'exact match' and tokens == tokens.max()").set_index("d_model")
    assert most["mean"].drop(96).max() < 0.1 < 0.4 < most.chance.min()
    assert most["mean"][96] > most.chance[96] + 3 * most.standard_error[96]


def test_the_largest_of_seven_random_pieces():
    """What notebook 04 holds its largest steps against."""
    largest = np.random.default_rng(0).dirichlet(np.ones(7), 200_000).max(axis=1)
    assert largest.mean() == pytest.approx(sum(1 / n for n in range(1, 8)) / 7, abs=0.002)
    assert round(largest.mean(), 2) == 0.37
    assert round(np.quantile(largest, 0.95), 2) == 0.56
