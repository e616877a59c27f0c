"""The sweep that is shipped: complete, above the floor, trained near its best, and good for a
prediction.
"""

import re
from collections import Counter

import numpy as np
import pytest

from helpers.lab import tables
from helpers.lab.abilities import RULERS
from helpers.lab.scaling import fit_scaling_law, predict_loss


@pytest.fixture(scope="module")
def rows():
    return tables.read("sweep")


def at_rule(rows, objective, seed=0):
    return [
        row
        for row in rows
        if (row["objective"], row["seed"], row["rate_factor"]) == (objective, seed, 1)
    ]


def columns(rows, *names):
    return [np.array([row[name] for row in rows]) for name in names]


@pytest.mark.parametrize("name", ["sweep", "abilities"])
def test_header_names_the_command_and_the_machine(name):
    command = r"made by: python -m tests\.tools\.make_data sweep; on \w+, \d+ cores; \d+ points"
    assert re.fullmatch(command, tables.made_by(name))


@pytest.mark.parametrize(
    ("objective", "n_sizes", "n_tokens", "span"), [("causal", 8, 6, 100), ("masked", 6, 5, 20)]
)
def test_sizes_and_token_counts(rows, objective, n_sizes, n_tokens, span):
    points = at_rule(rows, objective)
    n, d = columns(points, "n_body_params", "tokens")
    assert len(set(n)) >= n_sizes
    assert max(n) / min(n) >= span
    assert len(set(d)) >= n_tokens
    assert len(points) == len(set(n)) * len(set(d)) == len(set(zip(n, d, strict=True)))


def test_three_seeds_at_a_third_of_the_causal_points(rows):
    again = [
        Counter(
            (row["d_model"], round(np.log2(row["tokens"] / 1e5)))
            for row in at_rule(rows, "causal", seed)
        )
        for seed in (1, 2)
    ]
    assert again[0] == again[1]
    assert 3 * len(again[0]) >= len(at_rule(rows, "causal"))


def test_every_family_counts_its_own_parameters(rows):
    for width in {row["d_model"] for row in at_rule(rows, "masked")}:
        counts = {row["objective"]: row["n_params"] for row in rows if row["d_model"] == width}
        assert counts["causal"] != counts["masked"]


def test_no_point_lies_below_the_floor(rows):
    """Model and floor are measured on the same tokens, so the error is that of their difference."""
    for row in rows:
        assert row["gap"] > -3 * row["gap_error"], row
        assert row["gap"] == pytest.approx(row["loss"] - row["floor"], abs=1e-4)
        assert 0 < row["gap_error"] < 0.1
        assert min(row["seconds"], row["loss_error"]) > 0
        assert row["flops"] > 6 * row["n_body_params"] * row["tokens"]


def test_learning_rates_are_near_the_best(rows):
    keys = ("objective", "d_model", "seed", "tokens")
    tried = {}
    for row in rows:
        tried.setdefault(tuple(row[key] for key in keys), {})[row["rate_factor"]] = row["gap"]
    tried = {point: gaps for point, gaps in tried.items() if len(gaps) > 1}
    assert {point[0] for point in tried} == {"causal", "masked"}
    for point, gaps in tried.items():
        assert set(gaps) == {0.5, 1, 2}
        assert gaps[1] <= 1.1 * min(gaps.values()), point


def test_seeds_differ_far_less_than_sizes(rows):
    seeds = [at_rule(rows, "causal", seed) for seed in (0, 1, 2)]
    for row in seeds[1]:
        same = [
            r["gap"]
            for part in seeds
            for r in part
            if r["d_model"] == row["d_model"] and abs(np.log2(r["tokens"] / row["tokens"])) < 0.1
        ]
        assert np.std(same, ddof=1) < 0.15 * np.mean(same), row


@pytest.fixture(scope="module")
def used(rows):
    """What the fits of notebook 03 stand on: all but the shortest trainings, which are mostly
    warm-up.
    """
    return [row for row in at_rule(rows, "causal") if row["tokens"] > 150_000]


def test_the_law_predicts_the_largest_run(used):
    held = max(used, key=lambda row: (row["n_body_params"], row["tokens"]))
    small = [row for row in used if row["n_body_params"] < held["n_body_params"]]
    law = fit_scaling_law(*columns(small, "n_body_params", "tokens", "loss"), floor=held["floor"])
    gap = predict_loss(law, held["n_body_params"], held["tokens"]) - held["floor"]
    assert gap == pytest.approx(held["gap"], rel=0.1)


def test_the_true_floor_lies_in_the_interval_of_the_fitted_one(used):
    law = fit_scaling_law(*columns(used, "n_body_params", "tokens", "loss"), n_bootstrap=100)
    low, high = law.interval("E")
    assert low < used[0]["floor"] < high


def test_at_the_most_text_a_straight_range(used):
    most = max(row["tokens"] for row in used)
    n, gap = np.log10(
        columns([row for row in used if row["tokens"] == most], "n_body_params", "gap")
    )
    straight = [
        n[j - 1] - n[i]
        for i in range(len(n))
        for j in range(i + 4, len(n) + 1)
        if np.corrcoef(n[i:j], gap[i:j])[0, 1] ** 2 >= 0.98
    ]
    assert max(straight) >= 1.3


def test_every_point_has_its_abilities(rows):
    answers = [row for row in tables.read("abilities") if row["reads"] == "all"]
    assert {row["ruler"] for row in answers} == set(RULERS)
    assert len(answers) == len(rows) * len(RULERS) * len({row["ability"] for row in answers})
