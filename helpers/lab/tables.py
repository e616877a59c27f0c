"""The tables in `helpers/data`, as pandas data frames: what trainings of many hours found.

Each file names in its first line the command that made it, and where.
"""

import pandas as pd

from helpers._plumbing.files import DATA

MADE_BY = "# made by: "
WHOLE_PLAN = 1  # the version of the training loop that made all points of the sweep


def read(name, loop=WHOLE_PLAN):
    """The table "sweep", "abilities" or "fine_tuning", a row for each thing measured.

    Args:
        loop: the version of the training loop (`pretraining.LOOP`) whose rows are wanted, where
            the table names it. A fit must not mix them.

    Raises:
        FileNotFoundError: there is no such table.

    Example:
        >>> read("sweep").groupby("objective").d_model.max().to_dict()
        {'causal': 96, 'masked': 64}
    """
    table = pd.read_csv(DATA / f"{name}.csv", skiprows=1)
    return table[table.loop == loop] if "loop" in table else table


def made_by(name):
    """The command that made a table, and where, as its first line says.

    Example:
        >>> made_by("sweep")[:35]
        'python -m tests.tools.make_data swe'
    """
    with open(DATA / f"{name}.csv", encoding="utf-8") as file:
        return next(file).removeprefix(MADE_BY).strip()
