"""Count the minutes that each notebook takes; `--write` prints them where they stand.

    python -m tests.tools.minutes

The rule, in RULE below: words of prose and lines of code in view are read at a steady pace; a
picture, a live view and a question take a fixed time each; an exercise takes what its difficulty
says; the run time is the measured one, in the README's table of `python -m
tests.tools.measure_notebooks`. The whole is rounded up to five minutes. The core path is the same
sum over the cells tagged `core`, rounded up to one minute.

Folded code is not read, and the solution of an exercise is part of the exercise.
"""

import argparse
import math
import re
from pathlib import Path

import nbformat

from tests.support.notebook_plugin import ROOT
from tests.tools import measure_notebooks

RULE = {
    "words a minute": 200,
    "lines of code a minute": 20,
    "picture": 1 / 3,
    "live view": 1,
    "question": 1 / 2,
}
EXERCISE = {1: 5, 2: 10, 3: 15}  # minutes by difficulty
CORE_AT_MOST = 15
DIFFICULTY = re.compile(r"\*Difficulty (\d) of 3, about (\d+) minutes\.\*")
HEADER = re.compile(r"\*\*(\d+) minutes\*\* in all, (\d+) minutes for the core path")
README_ROW = r"(\]\(notebooks/{}\.ipynb\) \|.*\| )(\d+), (\d+) \|"
LARGE_PAGE = 2000  # characters of HTML: a table of bars or the like, to be looked at like a picture


def tags(cell):
    return cell.metadata.get("tags", [])


def n_words(markdown):
    """How many words of prose: no addresses, no HTML, no formulas' punctuation.

    Example:
        >>> n_words("Read [the card](https://a.b/c), **all** of it. <br>")
        6
    """
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", markdown)
    return len(re.findall(r"\w+(?:[.,'’-]\w+)*", re.sub(r"<[^>]+>", " ", text)))


def is_picture(output):
    data = output.get("data", {})
    return "image/png" in data or len(data.get("text/html", "")) > LARGE_PAGE


def parts(cell):
    """{what: minutes} of one cell, without its run time.

    Example:
        >>> text = "*Difficulty 1 of 3, about 5 minutes.* Go."
        >>> parts(nbformat.v4.new_markdown_cell(text))["exercise"]
        5
    """
    if cell.cell_type == "markdown":
        exercise = DIFFICULTY.search(cell.source)
        minutes = {"prose": n_words(cell.source) / RULE["words a minute"]}
        return minutes | ({"exercise": EXERCISE[int(exercise[1])]} if exercise else {})
    if "solution" in tags(cell):
        return {}
    folded = cell.metadata.get("jupyter", {}).get("source_hidden")
    lines = 0 if folded else sum(bool(line.strip()) for line in cell.source.splitlines())
    minutes = {"code": lines / RULE["lines of code a minute"]}
    if re.search(r"\b(quiz|predict)\(", cell.source):
        minutes["questions"] = RULE["question"]
    elif "widget" in tags(cell):
        minutes["live views"] = RULE["live view"]
    minutes["pictures"] = RULE["picture"] * sum(map(is_picture, cell.outputs))
    return minutes


def count(path, core=False):
    """{what: minutes} of the notebook at `path`, or of its core path; the set-up cell only runs."""
    notebook = nbformat.read(path, as_version=4)
    set_up = next(cell for cell in notebook.cells if cell.cell_type == "code")
    total = {}
    for cell in notebook.cells:
        if cell is not set_up and (not core or "core" in tags(cell)):
            for what, minutes in parts(cell).items():
                total[what] = total.get(what, 0) + minutes
    measured = measure_notebooks.table().get(path.stem)
    return total | {
        "run": (measured.core_seconds if core else measured.seconds) / 60 if measured else 0
    }


def minutes(path):
    """(all, core) as they are to be printed."""
    return 5 * math.ceil(sum(count(path).values()) / 5), math.ceil(
        sum(count(path, core=True).values())
    )


def printed(path):
    """The places where the minutes of a notebook stand: {place: (all, core)}, None where they are
    missing.
    """
    header = HEADER.search(measure_notebooks.header(nbformat.read(path, as_version=4)))
    row = re.search(README_ROW.format(path.stem), (ROOT / "README.md").read_text(encoding="utf-8"))
    return {
        "header": header and (int(header[1]), int(header[2])),
        "README": row and (int(row[2]), int(row[3])),
    }


def write(path):
    """Print the counted minutes in the header of the notebook and in the README."""
    whole, core = minutes(path)
    measure_notebooks.change(
        path, HEADER, f"**{whole} minutes** in all, {core} minutes for the core path"
    )
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    changed = re.sub(README_ROW.format(path.stem), rf"\g<1>{whole}, {core} |", text)
    if changed != text:
        readme.write_text(changed, encoding="utf-8", newline="\n")


def notebooks():
    return sorted((ROOT / "notebooks").glob("*.ipynb"))


def main():
    parser = argparse.ArgumentParser(
        prog="python -m tests.tools.minutes", description=__doc__.split("\n")[0]
    )
    parser.add_argument("notebooks", nargs="*", type=Path, help="by default all of them")
    parser.add_argument(
        "--write", action="store_true", help="write them into the headers and the README"
    )
    options = parser.parse_args()
    for path in options.notebooks or notebooks():
        if options.write:
            write(path)
        for name, core in (("all", False), ("core", True)):
            detail = ", ".join(f"{what} {n:.1f}" for what, n in count(path, core).items())
            print(f"{path.stem:28} {name:4} {minutes(path)[core]:3} minutes: {detail}")


if __name__ == "__main__":
    main()
