"""Scaling laws: how the loss falls with the parameters of a model and the tokens that it reads.

The law is the one of Hoffmann et al. (2022, "Chinchilla", arXiv 2203.15556), L(N, D) = E +
A/N^alpha + B/D^beta, and so is the fit: a log-sum-exp for the log of the loss, a Huber loss summed
over the points, L-BFGS from a grid of starts. N counts parameters, D tokens, losses are nats per
token. On PocketWeb the floor E is known and can be given. Left out: other forms of the law, weights
of the points.
"""

import itertools
import operator
from dataclasses import dataclass
from numbers import Real

import numpy as np
from scipy.optimize import minimize, nnls

from helpers._plumbing.checks import check_number, check_share, check_whole_number
from helpers._plumbing.words import plain_number, shown

DELTA = 1e-3  # of the Huber loss: in log units, so a misfit above 0.1 % counts only linearly
EXPONENTS = (0.1, 0.2, 0.3, 0.45, 0.65, 0.9, 1.3)  # the grid of starts for alpha and for beta


@dataclass(frozen=True)
class ScalingLaw:
    """L(N, D) = E + A/N^alpha + B/D^beta in nats per token; a law of one variable leaves B at 0.

    `resampled` holds the laws of the bootstrap, if one was asked for.

    Example:
        >>> round(predict_loss(CHINCHILLA, 70e9, 1.4e12), 2)
        1.97
    """

    E: float
    A: float
    alpha: float
    B: float = 0.0
    beta: float = 0.0
    resampled: tuple = ()

    def interval(self, value, level=0.95):
        """Percentiles of the bootstrap: of a constant, by its name, or of a function of a law.

        Raises:
            ValueError: the law was fitted without a bootstrap.

        Example:
            >>> again = ScalingLaw(1, 2, 0.2), ScalingLaw(1, 2, 0.4)
            >>> law = ScalingLaw(1, 2, 0.3, resampled=again)
            >>> [round(edge, 3) for edge in law.interval("alpha")]
            [0.205, 0.395]
        """
        of = value if callable(value) else operator.attrgetter(value)
        return _interval([of(law) for law in self.resampled], level)


# Refitted: Besiroglu et al. (2024), 2404.10102
CHINCHILLA = ScalingLaw(1.8172, 482.01, 0.3478, 2085.43, 0.3658)


def fit_scaling_law(n_params, n_tokens, loss, floor=None, n_bootstrap=0, seed=0, runs=None):
    """Fit L(N, D) = E + A/N^alpha + B/D^beta to one model a point.

    Args:
        n_params, n_tokens, loss: numbers [n_points]: parameters, tokens read, nats per token.
        floor: E, where it is known; else it is fitted too.
        n_bootstrap: so many times all runs are drawn again, with replacement, and fitted.
        runs: names [n_points] of the trainings that gave the points. Points of one training share
            its luck, so they are drawn together; without names each point is a run of its own.

    Raises:
        ValueError, TypeError: numbers missing, infinite or not above zero; lengths that differ;
            fewer points, sizes or token counts than the law has constants to find; a floor that is
            negative or not below every loss; fewer runs than sizes that a fit needs, or a point
            whose run has no name.

    Example:
        >>> n, d = np.meshgrid([1e7, 1e8, 1e9], [1e9, 1e10, 1e11])
        >>> law = fit_scaling_law(n.ravel(), d.ravel(), predict_loss(CHINCHILLA, n, d).ravel())
        >>> round(law.E, 3), round(law.alpha, 3), round(law.beta, 3)
        (1.817, 0.348, 0.366)
    """
    variables = {"n_params": n_params, "n_tokens": n_tokens}
    return _fit_law(variables, loss, floor, n_bootstrap, seed, runs)


def fit_power_law(x, loss, floor=None, n_bootstrap=0, seed=0):
    """Fit L(x) = E + A/x^alpha, the law of one variable, as `fit_scaling_law` does.

    Example:
        >>> round(fit_power_law([1, 4, 16, 64], [3.0, 2.0, 1.5, 1.25]).alpha, 3)
        0.5
    """
    return _fit_law({"x": x}, loss, floor, n_bootstrap, seed)


def difference(one, other, value, level=0.95):
    """What a constant, or a function of a law, is in one law less what it is in another.

    The interval is that of the difference itself, from two bootstraps with different seeds. Two
    intervals that overlap do not show that two constants are the same.

    Returns: (difference, its lowest, its highest).

    Raises:
        ValueError: the laws have no bootstrap, or bootstraps of different lengths; a level that is
            not above 0 and at most 1.

    Example:
        >>> again = ScalingLaw(1, 2, 0.2), ScalingLaw(1, 2, 0.4)
        >>> one, other = ScalingLaw(1, 2, 0.3, resampled=again), ScalingLaw(1, 2, 0.1)
        >>> other = ScalingLaw(1, 2, 0.1, resampled=(other, other))
        >>> [round(number, 3) for number in difference(one, other, "alpha")]
        [0.2, 0.105, 0.295]
    """
    of = value if callable(value) else operator.attrgetter(value)
    if len(one.resampled) != len(other.resampled):
        raise ValueError("Fit both laws with the same n_bootstrap.")
    pairs = list(zip(one.resampled, other.resampled, strict=True))
    return of(one) - of(other), *_interval([of(a) - of(b) for a, b in pairs], level)


def predict_loss(law, n_params, n_tokens=None):
    """The loss of the law, nats per token; a law of one variable needs no second number.

    Raises:
        ValueError: a law of two variables, and no tokens.

    Example:
        >>> predict_loss(ScalingLaw(1.0, 8.0, 0.5), 16)
        3.0
    """
    if n_tokens is None and law.B:
        raise ValueError("This law is one of parameters and tokens: give n_tokens, too.")
    too_few_tokens = law.B / n_tokens**law.beta if law.B else 0.0
    return law.E + law.A / n_params**law.alpha + too_few_tokens


def compute_optimal(law, flops):
    """(parameters, tokens) with the lowest loss for so many FLOPs (Hoffmann et al., eq. 4).

    Raises:
        ValueError: a law of one variable, or a budget that is not above zero.

    Example:
        >>> n, d = compute_optimal(CHINCHILLA, 5.76e23)  # Gopher's budget
        >>> round(n / 1e9), round(d / n)
        (72, 18)
    """
    if min(law.A, law.B, law.alpha, law.beta) <= 0:
        raise ValueError("The optimum needs a law in which parameters and tokens lower the loss.")
    flops = check_number(flops, "flops")
    a, b = law.beta / (law.alpha + law.beta), law.alpha / (law.alpha + law.beta)
    g = (law.alpha * law.A / (law.beta * law.B)) ** (1 / (law.alpha + law.beta))
    return g * (flops / 6) ** a, (flops / 6) ** b / g


def training_flops(n_params, n_tokens):
    """6 N D: two operations a parameter and token forward, four backward.

    The source is Kaplan et al. (2020), section 2.1.

    Example:
        >>> training_flops(175e9, 300e9)  # GPT-3
        3.15e+23
    """
    return 6.0 * n_params * n_tokens


def _interval(values, level):
    if not values:
        raise ValueError("This law has no bootstrap. Fit it with n_bootstrap=200, for instance.")
    level = check_share(level, "level")
    return tuple(np.quantile(values, [(1 - level) / 2, (1 + level) / 2]).tolist())


def _fit_law(variables, loss, floor, n_bootstrap, seed, runs=None):
    points = _checked(variables, loss, floor)
    floor = None if floor is None else _checked_floor(floor, points[1].min())
    n_bootstrap = check_whole_number(n_bootstrap, "n_bootstrap", 0)
    seed = check_whole_number(seed, "seed", 0)
    constants, solution = _fit(*points, floor)
    rng, resampled, needed = np.random.default_rng(seed), [], 2 + (floor is None)
    members = _members(runs, points[0], needed)
    while len(resampled) < n_bootstrap:
        drawn = rng.integers(len(members), size=len(members))
        chosen = np.concatenate([members[run] for run in drawn])
        x = points[0][:, chosen]
        if min(len(np.unique(values)) for values in x) >= needed:
            resampled.append(ScalingLaw(*_fit(x, points[1][chosen], floor, solution)[0]))
    return ScalingLaw(*constants, tuple(resampled))


def _checked(variables, loss, floor):
    """Variables [n_variables, n_points] and losses [n_points], if a law can be fitted to them."""
    given = [*variables.items(), ("loss", loss)]
    columns = {name: _column_of_numbers(name, column) for name, column in given}
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"Each point needs all of its numbers, but the lengths differ: {lengths}.")
    for name, column in columns.items():
        if not (np.isfinite(column) & (column > 0)).all():
            wrong = column[~(np.isfinite(column) & (column > 0))][0]
            allowed = f"{name} must hold finite numbers above zero, but holds {wrong}."
            raise ValueError(f"{allowed} Leave such points out.")
    unknown = 2 * len(variables) + (floor is None)
    if lengths["loss"] <= unknown:
        few = f"{lengths['loss']} points are too few for {unknown} constants."
        raise ValueError(f"{few} Measure at least {unknown + 1}.")
    needed = 2 + (floor is None)
    for name in variables:
        if (found := len(np.unique(columns[name]))) < needed:
            few = f"{name} has {found} different values"
            raise ValueError(f"{few}. The law needs at least {needed}.")
    return np.stack([columns[name] for name in variables]), columns["loss"]


def _members(runs, x, needed):
    """The places of each run's points, one array a run."""
    names = np.arange(x.shape[1]) if runs is None else np.asarray(runs)
    if names.shape != x.shape[1:]:
        raise ValueError(f"runs must hold {x.shape[1]} names, one for each point.")
    if any(name is None or name != name for name in names.tolist()):
        raise ValueError("runs must name the run of every point.")
    members = [np.flatnonzero(names == name) for name in np.unique(names)]
    if len(members) < needed:
        raise ValueError(f"A bootstrap needs at least {needed} runs, not {len(members)}.")
    return members


def _column_of_numbers(name, column):
    """Numbers as an array [n_points]; texts, complex numbers and ragged lists are refused."""
    try:
        array = np.asarray(column)
        if array.dtype.kind not in "iuf" and (
            array.dtype != object or isinstance(array.item(0), str)
        ):
            raise TypeError
        return array.astype(float).ravel()
    except (ValueError, TypeError, IndexError):
        allowed = f"{name} must hold numbers, one for each point"
        raise TypeError(f"{allowed}, not {shown(column)}.") from None


def _checked_floor(floor, lowest_loss):
    floor = plain_number(floor, "floor", Real)
    if not 0 <= floor < lowest_loss:
        allowed = f"a number from 0 to below the lowest loss, {lowest_loss:.4g}"
        raise ValueError(f"floor must be {allowed}, not {floor}. Leave it out to have it fitted.")
    return floor


def _fit(x, loss, floor, start=None):
    """The constants (E, A, alpha, B, beta) that fit best, and L-BFGS's own numbers.

    Those are the logs of the parts of the loss at the middle of the points and the exponents: no
    two of them pull on each other as A and alpha do.
    """
    middle = np.exp(np.log(x).mean(axis=1, keepdims=True))  # [n_variables, 1]
    log_x, log_loss, n = np.log(x / middle), np.log(loss), len(x)
    fixed = None if floor is None else np.log(floor) if floor else -np.inf
    powers = np.vstack([log_x, np.zeros(log_x.shape[1])])  # the floor is the same everywhere

    def misfit(numbers):
        # Logs of the parts, [n + 1, 1]
        logs = np.append(numbers[:n], numbers[2 * n :] if floor is None else fixed)[:, None]
        parts = logs - np.append(numbers[n : 2 * n], 0.0)[:, None] * powers  # [n + 1, n_points]
        total = np.logaddexp.reduce(parts, axis=0)  # log of the predicted loss
        off = (total - log_loss) / DELTA
        clipped = np.clip(off, -1, 1)
        pull = clipped / DELTA * np.exp(parts - total)  # [n + 1, n_points]
        gradient = np.concatenate([pull[:n].sum(1), -(pull[:n] * log_x).sum(1), pull[n:].sum(1)])
        return clipped @ (off - clipped / 2), gradient[: len(numbers)]

    def descend(start, steps):
        options = {"maxiter": steps, "maxfun": 5000, "ftol": 1e-13, "gtol": 1e-7}
        return minimize(misfit, start, jac=True, method="L-BFGS-B", options=options)

    starts = [start]
    if start is None:  # a few steps from each show which are worth the rest
        tried = [descend(start, 10) for start in _starts(log_x, loss, floor)]
        starts = [run.x for run in sorted(tried, key=operator.attrgetter("fun"))[:4]]
    runs = [descend(start, 2000) for start in starts]
    best = min(runs, key=operator.attrgetter("fun")).x
    scales = np.exp(best[:n]) * middle[:, 0] ** best[n : 2 * n]
    constants = np.stack([scales, best[n : 2 * n]], axis=1).ravel().tolist()
    floor = float(np.exp(best[-1])) if floor is None else floor
    return (floor, *constants, *[0.0] * (4 - 2 * n)), best


def _starts(log_x, loss, floor):
    """For each choice of exponents the best other constants, by least squares, to start from."""
    tiny, n_points = 1e-6 * loss.min(), len(loss)
    for exponents in itertools.product(EXPONENTS, repeat=len(log_x)):
        columns = np.exp(-np.array(exponents)[:, None] * log_x).T  # [n_points, n_variables]
        if floor is None:
            columns = np.column_stack([columns, np.ones(n_points)])
        # Relative misfits count, as in the logs
        scales, _ = nnls(columns / loss[:, None], 1 - (floor or 0.0) / loss)
        logs = np.log(np.maximum(scales, tiny))
        yield np.array([*logs[: len(log_x)], *exponents, *logs[len(log_x) :]])
