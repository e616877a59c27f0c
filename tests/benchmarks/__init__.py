"""Ratios measured in one run, so that they mean the same on every machine: `pytest
tests/benchmarks`.

Every benchmark prints its numbers at the end of the run and fails where a ratio leaves its range.
They are no part of plain `pytest`, as a busy machine would decide them.
"""
