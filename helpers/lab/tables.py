"""The tables in `helpers/data`: what trainings of many hours found.

Each names in its first line the command that made it.
"""

import csv

from helpers._plumbing.files import DATA


def read(name):
    """The rows of the table "sweep", "abilities" or "fine_tuning", as dicts of texts and numbers.

    Raises:
        FileNotFoundError: there is no such table.

    Example:
        >>> sorted({row["objective"] for row in read("sweep")})
        ['causal', 'masked']
    """
    with open(DATA / f"{name}.csv", encoding="utf-8") as file:
        next(file)
        return [{key: _parsed(value) for key, value in row.items()} for row in csv.DictReader(file)]


def made_by(name):
    """What the first line of a table says of the command that made it, and where.

    Example:
        >>> made_by("sweep")[:42]
        'made by: python -m tests.tools.make_data s'
    """
    with open(DATA / f"{name}.csv", encoding="utf-8") as file:
        return next(file).strip("# \n")


def _parsed(text):
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text
