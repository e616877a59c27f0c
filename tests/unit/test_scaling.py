"""Scaling laws: published constants come back from data made with them, and a second optimiser
agrees.
"""

import numpy as np
import pytest
from scipy.optimize import differential_evolution
from torch.utils.flop_counter import FlopCounterMode

from helpers.lab.architecture import build_model, build_tokenizer
from helpers.lab.scaling import (
    CHINCHILLA,
    DELTA,
    ScalingLaw,
    compute_optimal,
    difference,
    fit_power_law,
    fit_scaling_law,
    predict_loss,
    training_flops,
)
from tests.support.flops import exact_training_flops

CONSTANTS = ("E", "A", "alpha", "B", "beta")


def measured(law, n_points, noise, seed):
    """Points over the range of Hoffmann et al., with a relative error."""
    rng = np.random.default_rng(seed)
    n, d = 10 ** rng.uniform(7.7, 10.2, n_points), 10 ** rng.uniform(8.4, 11.5, n_points)
    return n, d, predict_loss(law, n, d) * np.exp(rng.normal(0, noise, n_points))


def huber_misfit(law, n, d, loss):
    """The objective of Hoffmann et al., eq. 3, written out point by point."""
    total = 0.0
    for size, tokens, found in zip(n, d, loss, strict=True):
        off = abs(
            np.log(law.E + law.A / size**law.alpha + law.B / tokens**law.beta) - np.log(found)
        )
        total += off**2 / 2 if off <= DELTA else DELTA * (off - DELTA / 2)
    return total


def test_published_constants_come_back():
    n, d, loss = measured(CHINCHILLA, 240, 0.005, seed=0)
    law = fit_scaling_law(n, d, loss, n_bootstrap=200)
    for name in CONSTANTS:
        low, high = law.interval(name)
        assert low < getattr(CHINCHILLA, name) < high, name
        assert low < getattr(law, name) < high, name


def test_intervals_cover_the_truth_as_often_as_they_say():
    covered = []
    for seed in range(20):
        law = fit_scaling_law(*measured(CHINCHILLA, 240, 0.005, seed), n_bootstrap=50, seed=seed)
        intervals = {name: law.interval(name) for name in CONSTANTS}
        covered.append(
            [low <= getattr(CHINCHILLA, name) <= high for name, (low, high) in intervals.items()]
        )
    for name, share in zip(CONSTANTS, np.mean(covered, axis=0), strict=True):
        assert 0.85 <= share <= 1, name
    assert np.mean(covered) < 1, "an interval of 95 % that never misses is too wide"


def swept(law, luck, seed):
    """A sweep as ours: 8 runs of 5 points each; every run is lucky or not at all of its points."""
    rng = np.random.default_rng(seed)
    n, d = np.meshgrid(np.geomspace(2e3, 4e5, 8), np.geomspace(2e5, 3.2e6, 5), indexing="ij")
    gap = (predict_loss(law, n, d) - law.E) * np.exp(rng.normal(0, luck, (8, 1)))
    gap *= np.exp(rng.normal(0, luck / 4, n.shape))
    return n.ravel(), d.ravel(), (law.E + gap).ravel()


def test_the_bootstrap_draws_whole_runs():
    n, d, loss = swept(ScalingLaw(0.5, 60, 0.5, 900, 0.6), 0.05, seed=0)
    law = fit_scaling_law(n, d, loss, floor=0.5, n_bootstrap=3, seed=4, runs=n)
    rng = np.random.default_rng(4)
    for again in law.resampled:
        sizes = np.unique(n)[rng.integers(8, size=8)]
        chosen = np.concatenate([np.flatnonzero(n == size) for size in sizes])
        by_hand = fit_scaling_law(n[chosen], d[chosen], loss[chosen], floor=0.5)
        for name in CONSTANTS:
            assert getattr(again, name) == pytest.approx(getattr(by_hand, name), rel=1e-2), name


def test_luck_that_a_run_shares_widens_the_interval():
    n, d, loss = swept(ScalingLaw(0.5, 60, 0.5, 900, 0.6), 0.05, seed=1)
    options = {"floor": 0.5, "n_bootstrap": 60}
    by_point, by_run = (
        fit_scaling_law(n, d, loss, **options, runs=runs).interval("alpha") for runs in (None, n)
    )
    assert by_run[1] - by_run[0] > 1.5 * (by_point[1] - by_point[0])


def test_a_difference_is_that_of_each_pair():
    one, other = (
        ScalingLaw(1, 2, alpha, resampled=tuple(ScalingLaw(1, 2, a) for a in again))
        for alpha, again in ((0.5, np.linspace(0.4, 0.6, 41)), (0.3, np.linspace(0.1, 0.5, 41)))
    )
    assert difference(one, other, "alpha", level=0.5) == pytest.approx((0.2, 0.15, 0.25))
    twice = difference(one, other, lambda law: 2 * law.alpha, level=1)
    assert twice == pytest.approx((0.4, 0.2, 0.6))


def test_an_independent_optimiser_finds_the_same_minimum():
    n, d, loss = measured(CHINCHILLA, 60, 0.01, seed=3)
    law = fit_scaling_law(n, d, loss)

    def from_logs(numbers):
        log_e, log_a, alpha, log_b, beta = numbers
        return ScalingLaw(np.exp(log_e), np.exp(log_a), alpha, np.exp(log_b), beta)

    def vectorised(numbers):
        off = abs(np.log(predict_loss(from_logs(numbers), n, d)) - np.log(loss))
        return np.where(off <= DELTA, off**2 / 2, DELTA * (off - DELTA / 2)).sum()

    bounds = [(-1, 1.5), (0, 12), (0.05, 1), (0, 15), (0.05, 1)]
    other = from_logs(differential_evolution(vectorised, bounds, seed=0, tol=1e-10, maxiter=3000).x)
    assert huber_misfit(law, n, d, loss) <= huber_misfit(other, n, d, loss) * (1 + 1e-6)
    assert pytest.approx(other.E, rel=0.01) == law.E
    assert law.alpha == pytest.approx(other.alpha, rel=0.03)
    assert law.beta == pytest.approx(other.beta, rel=0.03)


@pytest.mark.parametrize(
    "truth",
    [
        ScalingLaw(0.55, 12.0, 0.4, 900.0, 0.5),
        ScalingLaw(0.1, 3.0, 0.15, 4e4, 0.8),
        ScalingLaw(2.5, 60.0, 0.9, 5.0, 0.1),
    ],
)
def test_exact_data_give_the_exact_law(truth):
    n, d = np.meshgrid(np.geomspace(1e3, 1e6, 8), np.geomspace(2e5, 1e7, 6))
    law = fit_scaling_law(n, d, predict_loss(truth, n, d))
    for name in CONSTANTS:
        assert getattr(law, name) == pytest.approx(getattr(truth, name), rel=2e-2), name
    known = fit_scaling_law(n, d, predict_loss(truth, n, d), floor=truth.E)
    assert known.E == truth.E
    assert (known.alpha, known.beta) == pytest.approx((truth.alpha, truth.beta), rel=2e-3)


def test_one_variable():
    x = np.geomspace(1e3, 1e6, 9)
    law = fit_power_law(x, 0.7 + 40 / x**0.45, n_bootstrap=20)
    assert (law.E, law.A, law.alpha, law.B) == pytest.approx((0.7, 40, 0.45, 0), rel=1e-3)
    assert predict_loss(law, 1e9) == pytest.approx(0.7 + 40 / 1e9**0.45, rel=1e-3)
    pure = fit_power_law(x, 8 / x**0.076, floor=0)
    assert (pure.A, pure.alpha) == pytest.approx((8, 0.076), rel=1e-4)


def test_outliers_pull_less_than_in_least_squares():
    n, d, loss = measured(CHINCHILLA, 240, 0.002, seed=1)
    loss[np.argsort(n)[-5:]] *= 1.3
    assert fit_scaling_law(n, d, loss).alpha == pytest.approx(CHINCHILLA.alpha, rel=0.1)


def test_the_optimum_is_the_lowest_point_of_its_budget():
    budget = 1e21
    n_best, d_best = compute_optimal(CHINCHILLA, budget)
    assert training_flops(n_best, d_best) == pytest.approx(budget)
    n = np.geomspace(n_best / 100, n_best * 100, 20_001)
    losses = predict_loss(CHINCHILLA, n, budget / (6 * n))
    assert n[losses.argmin()] == pytest.approx(n_best, rel=1e-3)


@pytest.mark.parametrize("objective", ["causal", "masked"])
def test_exact_flops_are_those_that_torch_counts(objective):
    tokenizer = build_tokenizer()
    model = build_model(objective, tokenizer, n_layer=2, d_model=32, n_head=2)
    model.set_attn_implementation("eager")  # torch does not count inside the fused kernel
    ids = tokenizer("Once upon a time, in a small village", return_tensors="pt").input_ids
    with FlopCounterMode(display=False) as forward:
        model(ids)
    length = ids.shape[1]
    assert 3 * forward.get_total_flops() == pytest.approx(
        exact_training_flops(model, length, length), rel=1e-3
    )


@pytest.mark.parametrize(
    ("n", "d", "loss", "sentence"),
    [
        ([1, 2, 3], [1, 2, 3], [1, 2], "lengths differ"),
        ([1, 2, 3], [1, 2, 3], [3, 2, 1], "3 points are too few for 5 constants"),
        ([1e6] * 9, range(1, 10), range(10, 1, -1), "n_params has 1 different values"),
        ([1, 2, 3] * 3, [5, 6] * 4 + [5], range(10, 1, -1), "n_tokens has 2 different values"),
        (
            [1, 2, 3] * 3,
            [4, 5, 6] * 3,
            [0.0, *range(9, 1, -1)],
            "loss must hold finite numbers above zero",
        ),
        ([1, 2, 3] * 3, [4, 5, 6] * 3, [np.nan, *range(9, 1, -1)], "holds nan"),
        ([1, 2, np.inf] * 3, [4, 5, 6] * 3, range(10, 1, -1), "n_params must hold finite"),
    ],
)
def test_degenerate_input_is_explained(n, d, loss, sentence):
    with pytest.raises(ValueError, match=sentence):
        fit_scaling_law(list(n), list(d), list(loss))


def test_what_cannot_be_answered_is_explained():
    with pytest.raises(ValueError, match="no bootstrap"):
        CHINCHILLA.interval("E")
    with pytest.raises(ValueError, match="no bootstrap"):
        difference(CHINCHILLA, CHINCHILLA, "E")
    n, d, loss = measured(CHINCHILLA, 20, 0.005, seed=0)
    with pytest.raises(ValueError, match="20 names, one for each point"):
        fit_scaling_law(n, d, loss, runs=[1, 2])
    with pytest.raises(ValueError, match="at least 3 runs, not 2"):
        fit_scaling_law(n, d, loss, runs=[1, 2] * 10)
    with pytest.raises(ValueError, match="parameters and tokens"):
        compute_optimal(ScalingLaw(1, 2, 0.3), 1e20)
    with pytest.raises(ValueError, match="flops must be a number above 0"):
        compute_optimal(CHINCHILLA, -1)
