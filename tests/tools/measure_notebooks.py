"""Measure what each notebook takes, and write it into the README.

    python -m tests.tools.measure_notebooks

Each notebook runs whole in a fresh kernel, offline and on two threads; then its core path runs
alone, in another one. Written are the seconds of both, the start of the kernel included, and the
largest memory that the kernel ever held. The headers of the notebooks repeat the memory, and
`python -m tests.tools.minutes --write`, which this calls at its end, counts the minutes anew. Linux
and macOS only, and an idle machine, please.
"""

import argparse
import copy
import itertools
import os
import re
import sys
import time
from typing import NamedTuple

import nbformat

from tests.support.notebook_plugin import ROOT
from tests.tools import store_outputs

README = ROOT / "README.md"
TABLE = re.compile(
    r"(<!-- measured by `python -m tests\.tools\.measure_notebooks`, not by hand -->\n)"
    r".*?(<!-- end of measured -->)",
    re.S,
)
ROW = re.compile(
    r"^\| \[.*?\]\(notebooks/(\w+)\.ipynb\) \| (\d+) s \| (\d+) s \| ([\d.]+) GB \|$", re.M
)
HEADER = re.compile(r"\(measured: [\d.]+ GB\)")
PROBE = "import resource, sys\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
UNIT = 1 if sys.platform == "darwin" else 1024  # bytes


class Measured(NamedTuple):
    seconds: int
    core_seconds: int
    gigabytes: float


def table():
    """{notebook: Measured}, as the README has it."""
    held = TABLE.search(README.read_text(encoding="utf-8"))[0]
    return {
        name: Measured(int(all_), int(core), float(memory))
        for name, all_, core, memory in ROW.findall(held)
    }


def timed(notebook):
    """Seconds and peak bytes of a run; stops where a cell fails."""
    notebook = copy.deepcopy(notebook)
    notebook.cells.append(nbformat.v4.new_code_cell(PROBE))
    start = time.perf_counter()
    store_outputs.run(notebook, ROOT / "notebooks")
    return time.perf_counter() - start, UNIT * int(notebook.cells[-1].outputs[0].text)


def measure(path):
    notebook = nbformat.read(path, as_version=4)
    seconds, memory = timed(notebook)
    notebook.cells = [cell for cell in notebook.cells if "core" in store_outputs.tags(cell)]
    return Measured(round(seconds), round(timed(notebook)[0]), round(memory / 1e9, 2))


def in_words(measured):
    """What the header of a notebook says.

    Example:
        >>> in_words(Measured(40, 20, 0.61))
        '(measured: 0.61 GB)'
    """
    return f"(measured: {measured.gigabytes:.2f} GB)"


def header(notebook):
    """The text above the first code cell."""
    before_code = itertools.takewhile(lambda cell: cell.cell_type != "code", notebook.cells)
    return "\n\n".join(cell.source for cell in before_code)


def change(path, pattern, new):
    """Replace in the texts of a notebook's cells, and write it if that changed anything."""
    notebook = nbformat.read(path, as_version=4)
    before = [cell.source for cell in notebook.cells]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = pattern.sub(new, cell.source)
    if before != [cell.source for cell in notebook.cells]:
        nbformat.write(notebook, path)


def write(rows):
    """Write {notebook: Measured} into the README and the headers."""
    lines = ["| notebook | whole | core path alone | peak memory |", "|---|---|---|---|"]
    for name, row in sorted(rows.items()):
        link = f"[{name[:2]}](notebooks/{name}.ipynb)"
        lines.append(
            f"| {link} | {row.seconds} s | {row.core_seconds} s | {row.gigabytes:.2f} GB |"
        )
    text = README.read_text(encoding="utf-8")
    text = TABLE.sub(lambda found: found[1] + "\n".join(lines) + "\n" + found[2], text)
    README.write_text(text, encoding="utf-8", newline="\n")
    for name, row in rows.items():
        change(ROOT / "notebooks" / f"{name}.ipynb", HEADER, in_words(row))


def main():
    from tests.tools import minutes

    os.environ["OMP_NUM_THREADS"] = "2"  # as a reader's kernel has them; the tests have one
    every = {path.stem: path for path in minutes.notebooks()}
    parser = argparse.ArgumentParser(
        prog="python -m tests.tools.measure_notebooks", description=__doc__.split("\n")[0]
    )
    parser.add_argument(
        "notebooks", nargs="*", choices=[*every, []], metavar="NAME", help="by default all of them"
    )
    rows = {name: row for name, row in table().items() if name in every}
    for name in parser.parse_args().notebooks or every:
        rows[name] = measure(every[name])
        print(f"{name}: {rows[name]}", flush=True)
        write(rows)
        minutes.write(every[name])


if __name__ == "__main__":
    main()
