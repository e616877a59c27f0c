"""How long a scaling law takes to fit: the 240 points of the published refit of Chinchilla's
law.
"""

import time

import numpy as np

from helpers.lab.scaling import CHINCHILLA, fit_scaling_law, predict_loss


def test_a_fit_of_240_points(report):
    rng = np.random.default_rng(0)
    n, d = 10 ** rng.uniform(7.8, 10.2, 240), 10 ** rng.uniform(8.4, 11.5, 240)
    loss = predict_loss(CHINCHILLA, n, d) * np.exp(rng.normal(0, 0.005, 240))
    start = time.perf_counter()
    fit_scaling_law(n, d, loss)
    seconds = time.perf_counter() - start
    report(f"a fit of 240 points: {seconds:.1f} s (at most 10)")
    assert seconds <= 10
