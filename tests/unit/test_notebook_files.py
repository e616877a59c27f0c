"""The files of the notebooks, not run: format, header, badge, tags, short cells, alternative texts,
and what is asked after which cell.
"""

import ast
import itertools
import json
import re
import statistics
import warnings

import nbformat
import pytest

from tests.support import notebook_checks
from tests.support.notebook_plugin import ROOT, WIDGET_VIEW
from tests.tools import address
from tests.tools.store_outputs import LIVE_VIEW, is_progress_bar

NAMES = (
    "01_two_ways_to_read",
    "02_pretraining",
    "03_scaling_laws",
    "04_emergent_abilities",
    "05_generate_text_with_gpt2",
    "06_fill_mask_with_bert",
    "07_fine_tuning",
)
ASSERTS = {"01": 49, "02": 35, "03": 31, "04": 53, "05": 35, "06": 28, "07": 24}
QUESTION = re.compile(r"\b(quiz|predict|compare|exercise)\(")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # for test_valid_format to report
        return nbformat.read(path, as_version=4)


def cells(notebook, kind):
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def outputs(notebook):
    return [output for cell in cells(notebook, "code") for output in cell.outputs]


def tags(cell):
    return cell.metadata.get("tags", [])


def asserts(tree):
    """The assert statements below a node of a syntax tree.

    Example:
        >>> len(asserts(ast.parse("for n in (1, 2):\\n    assert n\\nprint('assert')")))
        1
    """
    return [node for node in ast.walk(tree) if isinstance(node, ast.Assert)]


def headings(notebook):
    """(level, text) of every heading, code blocks left out."""
    text = "\n\n".join(cell.source for cell in cells(notebook, "markdown"))
    text = re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.M | re.S)
    return [(len(marks), title) for marks, title in re.findall(r"^(#{1,6}) +(.+)$", text, re.M)]


def test_only_the_seven_notebooks():
    assert {path.stem for path in NOTEBOOKS} == set(NAMES)


def test_valid_format(path):
    notebook = nbformat.from_dict(json.loads(path.read_text(encoding="utf-8")))
    with warnings.catch_warnings():
        warnings.simplefilter(
            "error"
        )  # missing and repeated ids are only warnings, and silently repaired
        nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert (notebook.nbformat, notebook.nbformat_minor) >= (4, 5)


def test_metadata_is_plain(notebook):
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}


def test_ran_from_top_to_bottom(notebook):
    counts = [cell.execution_count for cell in cells(notebook, "code") if cell.source.strip()]
    assert counts == list(range(1, len(counts) + 1)), (
        "run `python -m tests.tools.store_outputs` on this notebook"
    )


def test_no_stored_faults(notebook):
    for cell in cells(notebook, "code"):
        for output in cell.outputs:
            assert output.output_type != "error" or "raises-exception" in tags(cell)
            assert output.get("name") != "stderr", output.text[:200]
            assert WIDGET_VIEW not in output.get("data", {}), (
                "a widget without its state shows as an error"
            )
            assert not is_progress_bar(output)


def test_badges_open_this_file_in_colab_and_nbviewer(notebook, path):
    first_two = "\n".join(
        cell.source for cell in notebook.cells[:2] if cell.cell_type == "markdown"
    )
    assert address.badge_row(path.relative_to(ROOT).as_posix()) in first_two


def test_set_up_cell_is_the_common_one(notebook):
    first, *others = [cell.source for cell in cells(notebook, "code")]
    assert first == address.setup_cell()
    folded = cells(notebook, "code")[0].metadata
    assert {name: folded.get(name) for name in address.SETUP_METADATA} == address.SETUP_METADATA
    assert not [text for text in others if re.search(r"^\s*[%!]\s*(pip|conda)\b", text, re.M)]


def test_header_states_minutes_and_needs(notebook):
    before_code = itertools.takewhile(lambda cell: cell.cell_type == "markdown", notebook.cells)
    header = "\n".join(cell.source for cell in before_code)
    assert re.search(r"\b\d+ minutes\b", header)
    assert re.search(r"\b(GB|MB)\b", header), "the header says how much memory the notebook needs"
    assert "network" in header


def test_headings_form_one_outline(notebook):
    levels = [level for level, _ in headings(notebook)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), headings(
        notebook
    )


def test_no_price_is_taken_for_a_formula(notebook):
    """Two dollar signs in one cell, and JupyterLab sets all between them as mathematics: money is
    written in words.
    """
    for cell in cells(notebook, "markdown"):
        assert "$" not in re.sub(r"\$\$.*?\$\$|`[^`]*`", "", cell.source, flags=re.S), cell.id


def test_pictures_have_an_alternative_text(notebook):
    for cell in cells(notebook, "markdown"):
        assert not re.search(r"!\[\s*\]\(", cell.source)
        for picture in re.findall(r"!\[[^\]]*\]\((https?://[^)]+)\)", cell.source):
            assert picture == address.BADGE_PICTURE, f"a remote image: {picture}"
    html = [cell.source for cell in cells(notebook, "markdown")]
    html += [output.get("data", {}).get("text/html", "") for output in outputs(notebook)]
    for picture in (tag for text in html for tag in re.findall(r"<img\b[^>]*>", text)):
        assert re.search(r"\balt=\"[^\"]+\"", picture), picture[:200]
    for output in outputs(notebook):
        data = output.get("data", {})
        assert "image/png" not in data or "text/html" in data, (
            "a bare figure has no alternative text"
        )


def test_cells_are_short(notebook):
    sources = [cell.source.strip() for cell in cells(notebook, "code")]
    lines = sorted(len(text.splitlines()) for text in sources if text)
    assert statistics.median(lines) <= 6, lines
    assert statistics.quantiles(lines, n=10, method="inclusive")[-1] <= 20, lines


def test_core_path_is_tagged(notebook):
    assert any("core" in tags(cell) for cell in cells(notebook, "code"))
    assert any("core" in tags(cell) for cell in cells(notebook, "markdown"))


def test_every_live_view_is_proved(notebook, path):
    """After each live view, before the next, comes a check that asserts.

    The questions of `helpers.quiz` are exempt: they have their own tests.
    """
    checks, unproved = notebook_checks.functions(path), None
    for cell in notebook.cells:
        if "widget" in tags(cell) and not QUESTION.search(cell.source):
            assert unproved is None, f"no check asserts what the widget in cell {unproved} showed"
            unproved = cell.id
        if cell.id in checks and asserts(checks[cell.id]):
            unproved = None
    assert unproved is None, f"no check asserts what the widget in cell {unproved} showed"


def test_every_live_view_left_its_own_still(notebook):
    """Stored is the still alone: HTML and words, and no picture of it in a cell of its own."""
    for cell in cells(notebook, "code"):
        if "widget" in tags(cell):
            (output,) = [one for one in cell.outputs if one.output_type == "display_data"]
            assert set(output.data) <= {"text/html", "text/plain", "image/png"}, cell.id
            assert output.data["text/plain"].startswith("<figure: "), cell.id
    assert not any("static" in tags(cell) for cell in notebook.cells)


def test_live_views_are_tagged(notebook):
    for cell in cells(notebook, "code"):
        if any(output.get("data", {}).get("text/plain") == LIVE_VIEW for output in cell.outputs):
            assert "widget" in tags(cell), cell.id


# ---- what must hold after a cell, in tests/notebook_checks


def test_no_page_asserts(notebook):
    """What only tests need stands in `tests/notebook_checks`, not on a page."""
    for cell in cells(notebook, "code"):
        source = re.sub(r"^( *)[%!].*$", r"\1pass", cell.source, flags=re.M)
        assert not asserts(ast.parse(source)), cell.id


def test_every_file_of_checks_belongs_to_a_notebook():
    names = {path.stem for path in notebook_checks.FOLDER.glob("*.py")}
    assert names == {path.stem[:2] for path in NOTEBOOKS}


def test_every_check_follows_a_cell_and_asserts(notebook, path):
    known = {cell.id for cell in cells(notebook, "code")}
    body = ast.parse((notebook_checks.FOLDER / f"{path.stem[:2]}.py").read_text("utf-8")).body
    docstring, *checks = body
    assert path.name in ast.literal_eval(docstring.value)
    for check in checks:
        assert isinstance(check, ast.FunctionDef), "a file of checks holds nothing but its checks"
        assert check.name.startswith("after_"), check.name
        assert asserts(check), check.name
    functions = notebook_checks.functions(path)
    assert len(functions) == len(checks), "two checks after one cell: the first would never run"
    assert set(functions) <= known, set(functions) - known


def test_no_check_is_lost(path):
    """The table ASSERTS holds how many assert statements each notebook has, so that the removal of
    any check or assertion is noticed; change the number there when you mean it.
    """
    found = sum(len(asserts(check)) for check in notebook_checks.functions(path).values())
    assert found == ASSERTS[path.stem[:2]]
