"""What the teacher's commands share: the notebooks of this copy, and pages that are filled in."""

import re

import jinja2
import nbformat

from helpers._plumbing.files import DATA

REPOSITORY = DATA.parents[1]


def notebook_of(number):
    """(notebook, path) of a lesson.

    Raises:
        ValueError: there is no such lesson, or this is no copy of the repository.

    Example:
        >>> notebook_of("5")[1].name
        '05_generate_text_with_gpt2.ipynb'
    """
    paths = {path.name[:2]: path for path in notebook_paths()}
    if str(number).zfill(2) not in paths:
        raise ValueError(f"There is no notebook {number!r}. There are: {', '.join(paths)}.")
    path = paths[str(number).zfill(2)]
    return nbformat.read(path, as_version=4), path


def notebook_paths():
    """The notebooks in reading order; ValueError where there is none."""
    paths = sorted((REPOSITORY / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    if not paths:
        raise ValueError(
            "There are no notebooks here. Run this command in a copy of the repository, "
            "with the Python into which you installed its requirements.txt."
        )
    return paths


def lessons_asked(cell, kind):
    """The names of the lessons of a kind ("quiz" or "guess") that a cell puts to the reader.

    Example:
        >>> lessons_asked(nbformat.v4.new_code_cell('predict("05-1")'), "guess")
        ['05-1']
    """
    function = {"quiz": "quiz", "guess": "predict"}[kind]
    return re.findall(rf'\b{function}\("([^"]+)"', cell.source)


def filled_in(template, **values):
    """A page of `helpers/data/classroom`, filled in: text is escaped unless the page says so."""
    loader = jinja2.FileSystemLoader(DATA / "classroom")
    return jinja2.Environment(loader=loader, autoescape=True).get_template(template).render(values)
