"""What makes the files of `helpers/data` that nobody writes by hand: `python -m
tests.tools.make_data --help`.
"""
