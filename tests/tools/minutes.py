"""Count the minutes that each notebook takes; `--write` prints them where they stand.

    python -m tests.tools.minutes

The rule is RULE below: words of prose and lines of code in view are read at a slow, steady pace; a
picture, a live view and a question take a fixed time each. Folded code is not read, and a `quiz` or
an `exercise` is one line of code, however it is written. Reading is rounded up, the whole to five
minutes, the core path (the cells tagged `core`) to one.

Two things count apart and are printed beside: what an exercise takes, by its difficulty, and how
long the cells run. The run time is the measured one, in the README's table of
`python -m tests.tools.measure_notebooks`.
"""

import argparse
import math
import re
from pathlib import Path
from typing import NamedTuple

import nbformat

from tests.support.notebook_plugin import ROOT
from tests.tools import measure_notebooks

RULE = {
    "words a minute": 150,
    "lines of code a minute": 10,
    "picture": 1 / 2,
    "live view": 2,
    "question": 1,
}
EXERCISE = {1: 5, 2: 10, 3: 15}  # minutes by difficulty
CORE_AT_MOST, WHOLE_AT_MOST = 20, 60
APART = ("exercise", "run")
DIFFICULTY = re.compile(r"\*Difficulty (\d) of 3, about (\d+) minutes\.\*")
HEADER = re.compile(
    r"\*\*(\d+) minutes\*\* to read all of it, \*\*(\d+)\*\* for the core path that a class walks "
    r"together\. The exercises take (\d+) minutes more\. The cells run for about (\d+) minutes?\."
)
README_ROW = r"(\]\(notebooks/{}\.ipynb\) \|.*\| )(\d+), (\d+) \| (\d+), (\d+) \|"
DRAWN = re.compile(r"<img|width:[\d.]+%;height")  # in HTML: a figure, or a table with bars


class Minutes(NamedTuple):
    """What is printed: minutes of reading, whole and core, then exercises and run time."""

    whole: int
    core: int
    exercises: int
    run: int


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
    return "image/png" in data or bool(DRAWN.search(data.get("text/html", "")))


def n_lines(cell):
    """How many lines of code of a cell are read.

    Example:
        >>> n_lines(nbformat.v4.new_code_cell("a = 1\\n\\nb = 2"))
        2
        >>> n_lines(nbformat.v4.new_code_cell("quiz(\\n    '05-1'\\n)"))
        1
    """
    if re.search(r"\b(quiz|predict|exercise)\(", cell.source):
        return 1
    folded = cell.metadata.get("jupyter", {}).get("source_hidden")
    return 0 if folded else sum(bool(line.strip()) for line in cell.source.splitlines())


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
    minutes = {"code": n_lines(cell) / RULE["lines of code a minute"]}
    asked = len(re.findall(r"\b(?:quiz|predict)\(", cell.source))
    if asked:
        minutes["questions"] = RULE["question"] * asked
    elif re.search(r"\b(?:compare|exercise)\(", cell.source):
        pass  # reading the answer belongs to the question
    elif "RealModel(" in cell.source:
        pass  # a button, until the model is there
    elif "widget" in tags(cell):
        minutes["live views"] = RULE["live view"]
    else:
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
    seconds = (measured.core_seconds if core else measured.seconds) if measured else 0
    return total | {"run": seconds / 60}


def reading(path, core=False):
    """Minutes of reading, not rounded: all but what counts apart."""
    return sum(n for what, n in count(path, core).items() if what not in APART)


def minutes(path):
    """The `Minutes` of a notebook as they are to be printed."""
    counted = count(path)
    whole, core = 5 * math.ceil(reading(path) / 5), math.ceil(reading(path, core=True))
    return Minutes(whole, core, counted.get("exercise", 0), math.ceil(counted["run"]))


def in_words(counted):
    """What the header of a notebook says.

    Example:
        >>> print(in_words(Minutes(45, 18, 10, 1))[:65])
        **45 minutes** to read all of it, **18** for the core path that a
        >>> HEADER.fullmatch(in_words(Minutes(45, 18, 10, 2))).groups()
        ('45', '18', '10', '2')
    """
    whole, core, exercises, run = counted
    return (
        f"**{whole} minutes** to read all of it, **{core}** for the core path that a class walks "
        f"together. The exercises take {exercises} minutes more. "
        f"The cells run for about {run} minute{'s' * (run > 1)}."
    )


def printed(path):
    """The places where the minutes of a notebook stand: {place: Minutes}, None where they are
    missing.
    """
    header = HEADER.search(measure_notebooks.header(nbformat.read(path, as_version=4)))
    row = re.search(README_ROW.format(path.stem), (ROOT / "README.md").read_text(encoding="utf-8"))
    return {
        "header": header and Minutes(*map(int, header.groups())),
        "README": row and Minutes(*map(int, row.groups()[1:])),
    }


def write(path):
    """Print the counted minutes in the header of the notebook and in the README."""
    counted = minutes(path)
    measure_notebooks.change(path, HEADER, in_words(counted))
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    whole, core, exercises, run = counted
    row = rf"\g<1>{whole}, {core} | {exercises}, {run} |"
    changed = re.sub(README_ROW.format(path.stem), row, text)
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
            print(f"{path.stem:28} {name:4} {reading(path, core):5.1f} minutes: {detail}")


if __name__ == "__main__":
    main()
