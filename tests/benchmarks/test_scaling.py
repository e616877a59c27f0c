"""How long a scaling law takes to fit: the 240 points of the published refit of Chinchilla's
law. And how often the interval of a difference of exponents covers the true one.
"""

import time

import numpy as np

from helpers.lab.scaling import (
    CHINCHILLA,
    ScalingLaw,
    difference,
    fit_scaling_law,
    predict_loss,
)


def test_a_fit_of_240_points(report):
    rng = np.random.default_rng(0)
    n, d = 10 ** rng.uniform(7.8, 10.2, 240), 10 ** rng.uniform(8.4, 11.5, 240)
    loss = predict_loss(CHINCHILLA, n, d) * np.exp(rng.normal(0, 0.005, 240))
    start = time.perf_counter()
    fit_scaling_law(n, d, loss)
    seconds = time.perf_counter() - start
    report(f"a fit of 240 points: {seconds:.1f} s (at most 10)")
    assert seconds <= 10


TWO_FAMILIES = {  # near what the sweep's two families give
    "causal": ScalingLaw(0.547, 700, 0.78, 14_000, 0.75),
    "masked": ScalingLaw(0.130, 19, 0.21, 15_000, 0.80),
}


def points_of_runs(law, rng):
    """Eight runs of five points each; all points of a run share its luck, 3 % of the gap."""
    n, d = np.meshgrid(np.geomspace(1.8e3, 4.5e5, 8), np.geomspace(2e5, 3.2e6, 5), indexing="ij")
    luck = rng.normal(0, 0.03, (8, 1)) + rng.normal(0, 0.01, n.shape)
    loss = law.E + (predict_loss(law, n, d) - law.E) * np.exp(luck)
    return n.ravel(), d.ravel(), loss.ravel()


def test_the_difference_of_exponents_covers_the_truth(report):
    covered = []
    for seed in range(20):
        rng, fits = np.random.default_rng(seed), []
        for place, law in enumerate(TWO_FAMILIES.values()):
            n, d, loss = points_of_runs(law, rng)
            options = {"floor": law.E, "n_bootstrap": 200, "seed": place, "runs": n}
            fits.append(fit_scaling_law(n, d, loss, **options))
        row = []
        for name in ("alpha", "beta"):
            truth = np.subtract(*(getattr(law, name) for law in TWO_FAMILIES.values()))
            _, low, high = difference(*fits, name)
            row.append(low <= truth <= high)
        covered.append(row)
    alpha, beta = np.mean(covered, axis=0)
    report(f"difference covered in 20 data sets: alpha {alpha:.0%}, beta {beta:.0%} (85 to 100 %)")
    assert min(alpha, beta) >= 0.85
