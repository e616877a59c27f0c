"""What the teacher's commands share, and two of them: worksheets and the learners' notebooks."""

import re
import tomllib
from pathlib import Path

import jinja2
import nbformat

from helpers._plumbing.files import DATA, folder_written_whole, writable_folder, written_whole
from helpers._plumbing.lessons import lesson

REPOSITORY, PAGES = DATA.parents[1], DATA / "classroom"


def notebook_paths():
    """{number: path} of the notebooks; ValueError outside a copy of the repository."""
    paths = sorted((REPOSITORY / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    if not paths:
        advice = "Run this command in a copy of the repository, with the Python into which you"
        raise ValueError(f"There are no notebooks here. {advice} installed its requirements.txt.")
    return {path.name[:2]: path for path in paths}


def lessons_asked(cell, kind):
    """The lessons of a kind ("quiz" or "guess") that a cell puts to the reader.

    Example:
        >>> asked = lessons_asked(nbformat.v4.new_code_cell('predict("05-1")'), "guess")
        >>> asked[0]["unit"]
        '%'
    """
    function = {"quiz": "quiz", "guess": "predict"}[kind]
    names = re.findall(rf'^{function}\("([^"]+)"', cell.source, re.MULTILINE)
    return [lesson(kind, name) for name in names]


def filled_in(template, **values):
    """A page of `helpers/data/classroom`, filled in. Text in HTML is escaped."""
    rule = jinja2.select_autoescape(["html"])
    pages = jinja2.Environment(loader=jinja2.FileSystemLoader(PAGES), autoescape=rule)
    return pages.get_template(template).render(values)


def page_written(path, template, **values):
    """Write a page, filled in, to `path`, and return the path."""
    writable_folder(path.parent)
    with written_whole(path) as part:
        part.write_text(filled_in(template, **values), encoding="utf-8")
    return path


def write_worksheets(folder="."):
    """Write `worksheets.html`, one page of A4 for each core path, and return its path.

    Raises:
        ValueError: this is no copy of the repository, or nothing can be written to the folder.
    """
    own = tomllib.loads((PAGES / "worksheets.toml").read_text(encoding="utf-8"))
    sheets = []
    for number, path in notebook_paths().items():
        cells = nbformat.read(path, as_version=4).cells
        core = [cell for cell in cells if "core" in cell.metadata.get("tags", [])]
        guesses = [one for cell in core for one in lessons_asked(cell, "guess")]
        quizzes = [one for cell in cells for one in lessons_asked(cell, "quiz")]
        title = cells[0].source.partition("\n")[0].lstrip("# ")
        asked = {"guesses": guesses, "quizzes": quizzes}
        sheets.append({"number": number, "title": title, **asked, **own[number]})
    return page_written(Path(folder) / "worksheets.html", "worksheets.html", sheets=sheets)


def write_handout(folder):
    """Write the notebooks for learners into a new folder, and return its path.

    They have no outputs. What a notebook says after a guess, its five last lines and the solutions
    of its exercises are left for the learner to find.

    Raises:
        ValueError: this is no copy of the repository, or the folder is not new or not writable.
    """
    with folder_written_whole(folder) as part:
        for path in notebook_paths().values():
            notebook, told = nbformat.read(path, as_version=4), False
            for cell in notebook.cells:
                if cell.cell_type == "code":
                    told = told or "compare(" in cell.source
                    cell.outputs, cell.execution_count = [], None
                    cell.source = re.sub(r"^(exercise\(.+\))$", r"\1.verdict", cell.source)
                    continue
                told = told and not cell.source.startswith("#")
                cell.source = "*What did you see? Write it here.*" if told else cell.source
                if cell.source.startswith("## In five lines"):
                    cell.source = re.sub(r"^(\d)\. .*", r"\1. …", cell.source, flags=re.MULTILINE)
            nbformat.write(notebook, part / path.name)
    return Path(folder)
