"""Cut the notebooks into slides that fit; `--write` stores the cuts.

    python -m tests.tools.slides

`jupyter nbconvert --to slides` makes a talk of a notebook; what goes on which slide stands in the
cells' metadata. The cuts are made here, by measuring every cell in a headless Chromium at the size
of a slide, so that none overflows:
- a heading begins a slide, what does not fit on it begins one below it, and all else appears step
  by step;
- quizzes are for the speaker's notes;
- left out are the set-up cell, folded code without a picture, exercises and live views.

`--write` splits a text that is too long for one slide into two cells. What cannot be split, it
names: code is left out, a long table goes to the speaker's notes.
"""

import argparse
import re
from pathlib import Path

import nbformat
from nbconvert import SlidesExporter

from tests.support.notebook_plugin import ROOT

WIDTH, HEIGHT = 960, 700  # pixels, nbconvert's own
# The page is laid out without reveal.js, which comes from the network; this is what its theme adds,
# at most, in pixels.
THEME_ADDS = {"h1": 155, "ul, ol": 45}
KINDS = ("slide", "subslide", "fragment", "notes", "skip")
STARTS = ("slide", "subslide")
MEASURE = """adds => Object.fromEntries([...document.querySelectorAll('.jp-Cell')].map(cell => {
    let height = cell.getBoundingClientRect().height
    for (const [selector, more] of Object.entries(adds))
        height += more * cell.querySelectorAll(selector).length
    return [cell.id.replace('cell-id=', ''), Math.ceil(height)]
}))"""


def tags(cell):
    return cell.metadata.get("tags", [])


def kind(cell):
    """The slide type of a cell, whatever fits: "slide", "notes", "skip" or "fragment".

    Example:
        >>> kind(nbformat.v4.new_markdown_cell("## One writes, one fills"))
        'slide'
        >>> kind(nbformat.v4.new_code_cell('exercise("05-1", mine)'))
        'skip'
    """
    if cell.cell_type == "markdown":
        if cell.source.startswith("## Run this first"):
            return "skip"
        return "slide" if re.match(r"##? ", cell.source) else "fragment"
    if re.search(r"\bquiz\(", cell.source):
        return "notes"
    folded = cell.metadata.get("jupyter", {}).get("source_hidden")
    page = any("text/html" in output.get("data", {}) for output in cell.outputs)
    live = "widget" in tags(cell) and not re.search(r"\b(predict|compare|guess)\(", cell.source)
    set_up, tried = "find_spec" in cell.source, cell.source.startswith("exercise(")
    if set_up or tried or live or (folded and not page):
        return "skip"
    return "fragment"


def heights(notebook, browser):
    """{cell id: pixels} of the cells of a notebook, each as it would stand on a slide."""
    plain = nbformat.from_dict(notebook)
    for cell in plain.cells:
        cell.metadata["slideshow"] = {"slide_type": "subslide"}
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.route("**/*", lambda route: route.abort())
    page.set_content(SlidesExporter().from_notebook_node(plain)[0], wait_until="domcontentloaded")
    page.add_style_tag(content=f".slides {{ width: {WIDTH}px }}")
    measured = page.evaluate(MEASURE, THEME_ADDS)
    page.close()
    return measured


def cut(notebook, measured):
    """The slide type of every cell, such that no slide is taller than `HEIGHT`."""
    kinds, used = [], HEIGHT
    for cell in notebook.cells:
        what, height = kind(cell), measured[cell.id]
        if (
            height > HEIGHT and what != "notes"
        ):  # a table of many rows is for the speaker, long code for nobody
            what = "skip" if cell.cell_type == "code" else "notes"
        elif what == "fragment" and used + height > HEIGHT:
            what = "subslide"
        if what in STARTS:
            used = height
        elif what == "fragment":
            used += height
        kinds.append(what)
    return kinds


def overflowing(notebook, measured):
    """One sentence for each slide that is taller than `HEIGHT`, by the cuts that the notebook
    has.
    """
    found, first, used = [], None, 0
    for cell in [*notebook.cells, None]:
        what = cell and cell.metadata.get("slideshow", {}).get("slide_type")
        if cell is None or what in STARTS:
            if used > HEIGHT:
                found.append(
                    f"the slide that begins with cell {first} is {used} pixels tall, of {HEIGHT}"
                )
            first, used = cell and cell.id, 0
        if cell is not None and what not in ("notes", "skip"):
            used += measured[cell.id]
    return found


def split(notebook, measured):
    """Split the texts that are too tall for a slide before their last paragraph; True if there was
    one.
    """
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if cell.cell_type == "markdown" and measured[cell.id] > HEIGHT and "\n\n" in cell.source:
            cell.source, _, rest = cell.source.rpartition("\n\n")
            taken = [one.id for one in notebook.cells]
            new = next(name for n in range(2, 100) if (name := f"{cell.id}-{n}") not in taken)
            cells.append(
                nbformat.v4.new_markdown_cell(
                    rest, id=new, metadata=nbformat.from_dict(cell.metadata)
                )
            )
    changed = len(cells) > len(notebook.cells)
    notebook.cells = cells
    return changed


def write(path, browser):
    """Cut the notebook at `path`, and store the cuts."""
    notebook = nbformat.read(path, as_version=4)
    while split(notebook, measured := heights(notebook, browser)):
        pass
    for cell, what in zip(notebook.cells, cut(notebook, measured), strict=True):
        cell.metadata["slideshow"] = {"slide_type": what}
        if measured[cell.id] > HEIGHT:
            print(f"{path.name}: cell {cell.id} is {measured[cell.id]} pixels tall: {what}")
    nbformat.write(notebook, path)


def main():
    from tests.support.jupyterlab import running_browser

    parser = argparse.ArgumentParser(
        prog="python -m tests.tools.slides", description=__doc__.split("\n")[0]
    )
    parser.add_argument("notebooks", nargs="*", type=Path, help="by default all of them")
    parser.add_argument("--write", action="store_true", help="cut the slides anew")
    options = parser.parse_args()
    wrong = []
    with running_browser() as browser:
        for path in options.notebooks or sorted((ROOT / "notebooks").glob("*.ipynb")):
            if options.write:
                write(path, browser)
            notebook = nbformat.read(path, as_version=4)
            found = overflowing(notebook, heights(notebook, browser))
            wrong += found
            print(f"{path.stem}: {'; '.join(found) or 'every slide fits'}", flush=True)
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
