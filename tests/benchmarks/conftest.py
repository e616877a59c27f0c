"""Timing that compares: the calls take turns, so that whatever slows the machine slows all of
them.
"""

import statistics
import time

import pytest

_lines = []


@pytest.fixture
def medians():
    """A function: the median seconds of each of several calls, which take turns for a number of
    rounds.
    """

    def measure(*calls, rounds=15):
        for call in calls:
            call()  # the first call pays for caches
        seconds = [[] for _ in calls]
        for _ in range(rounds):
            for call, taken in zip(calls, seconds, strict=True):
                start = time.perf_counter()
                call()
                taken.append(time.perf_counter() - start)
        return [statistics.median(taken) for taken in seconds]

    return measure


@pytest.fixture
def report():
    """A function: keep a line for the end of the run."""
    return _lines.append


def pytest_terminal_summary(terminalreporter):
    if _lines:
        terminalreporter.section("ratios")
        for line in _lines:
            terminalreporter.write_line(line)
