"""Means over what was drawn, each with its standard error."""

from typing import NamedTuple

import numpy as np


class Estimate(NamedTuple):
    """A mean over tokens with its standard error over documents, both in nats per token."""

    nats: float
    standard_error: float


def mean_per_token(sums, counts):
    """The ratio of two sums over documents, with its standard error (delta method).

    One document says nothing of its error, which is nan then.

    Example:
        >>> mean_per_token([2.0, 4.0], [1, 2])
        Estimate(nats=2.0, standard_error=0.0)
    """
    sums, counts = np.asarray(sums, float), np.asarray(counts, float)
    mean = sums.sum() / counts.sum()
    error = np.sqrt(((sums - mean * counts) ** 2).sum()) / counts.sum()
    return Estimate(float(mean), float(error) if len(counts) > 1 else np.nan)
