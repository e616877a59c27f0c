"""What makes the files of `helpers/data` that nobody writes by hand, one module for each."""

import pandas as pd

from helpers._plumbing.files import written_whole
from helpers.lab.tables import MADE_BY


def write_table(path, made_by, table):
    """Write a data frame, or a list of dicts, below a line that names the command."""
    with written_whole(path) as part, open(part, "w", encoding="utf-8", newline="") as file:
        file.write(f"{MADE_BY}{made_by}\n")
        numbers = {"index": False, "float_format": "%.6g", "lineterminator": "\n"}
        pd.DataFrame(table).to_csv(file, **numbers)
