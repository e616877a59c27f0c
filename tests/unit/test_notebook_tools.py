"""The tools that run notebooks see what a front end hides, and store what reads well without a
kernel.
"""

import re
import subprocess
import sys

import nbformat
import pytest

from tests.support.notebook_plugin import ROOT
from tests.tools import store_outputs

WIDGETS = """import ipywidgets as widgets
from ipywidgets import interact
slider = widgets.IntSlider(value=2)
out = widgets.Output()"""
GOOD = [
    (WIDGETS, []),
    ("slider", ["widget"]),
    ("slider.value = 5\nprint(slider.value)", []),
    ("from tqdm.auto import tqdm\nsum(tqdm([1, 2]))", ["nbval-ignore-output"]),
    ("slider.value;", []),
]
BAD = {
    "interact": "interact(lambda k: 1 / k, k=(0, 0));",
    "output": "with out:\n    1 / 0",
    "callback": "slider.observe(lambda change: 1 / 0, 'value')\nslider.value = 7",
    "stderr": "import warnings\nwarnings.warn('old')",
}


@pytest.fixture
def write(tmp_path):
    def write_(cells):
        notebook = nbformat.v4.new_notebook()
        for n, (source, tags) in enumerate(cells):
            cell = nbformat.v4.new_code_cell(source, id=f"cell-{n}", metadata={"tags": tags})
            notebook.cells.append(cell)
        path = tmp_path / "notebook.ipynb"
        nbformat.write(notebook, path)
        return path

    return write_


@pytest.fixture
def check(tmp_path):
    """Writes what must hold in `notebook.ipynb`; returns the folder."""

    def write_(text):
        (tmp_path / "no.py").write_text(text, encoding="utf-8")
        return tmp_path

    return write_


def run_pytest(path, *more):
    options = ["-c", "pyproject.toml", "--rootdir", ".", "-p", "no:cacheprovider", "-n", "0", "-q"]
    options += ["--color=no", *more]
    command = [sys.executable, "-m", "pytest", *options, str(path)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_stored_notebook_passes_strictly_and_reads_well(write, monkeypatch):
    path = write(GOOD)
    ids = [cell.id for cell in nbformat.read(path, as_version=4).cells]
    monkeypatch.setattr(sys, "argv", ["store_outputs", str(path)])
    with pytest.raises(SystemExit) as end:
        store_outputs.main()
    assert not end.value.code
    notebook = nbformat.read(path, as_version=4)
    assert [cell.id for cell in notebook.cells] == ids
    assert [cell.execution_count for cell in notebook.cells] == [1, 2, 3, 4, 5]
    assert "widgets" not in notebook.metadata
    shown = [
        [o.get("text") or o.data["text/plain"] for o in cell.outputs] for cell in notebook.cells
    ]
    assert shown == [[], [store_outputs.LIVE_VIEW], ["5\n"], ["3"], []]
    result = run_pytest(path)
    assert result.returncode == 0, result.stdout


def test_changed_output_fails(write):
    path = write([("print(1)", [])])
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].outputs = [nbformat.v4.new_output("stream", text="2\n")]
    notebook.cells[0].execution_count = 1
    nbformat.write(notebook, path)
    assert "1 failed" in run_pytest(path).stdout


def test_hidden_errors_and_warnings_fail_under_pytest(write):
    result = run_pytest(write([(WIDGETS, []), *((source, []) for source in BAD.values())]))
    assert "4 failed, 1 passed" in result.stdout, result.stdout


@pytest.mark.parametrize("kind", ["interact", "output", "stderr"])
def test_hidden_errors_and_warnings_are_not_stored(write, kind):
    cells = [(WIDGETS + "\ndisplay(out)", ["widget"]), (BAD[kind], ["widget"])]
    notebook = store_outputs.execute(write(cells))
    assert store_outputs.faults(notebook)


def test_a_widget_without_its_tag_is_not_stored(write):
    notebook = store_outputs.execute(write([(WIDGETS + "\nslider", [])]))
    assert "no tag 'widget'" in store_outputs.faults(notebook)[0]


@pytest.mark.parametrize(
    "text", ["  0%|    | 0/10 [00:00<?, ?it/s]", "causal model:   0%|   | 0/4", "a: b: 100%|#|"]
)
def test_progress_bars_are_told_from_live_views(text):
    bar = {"data": {store_outputs.WIDGET_VIEW: {}, "text/plain": text}}
    assert store_outputs.is_progress_bar(bar)
    assert not store_outputs.is_live_view(bar)
    assert store_outputs.is_live_view(
        {"data": {store_outputs.WIDGET_VIEW: {}, "text/plain": "VBox(children=())"}}
    )


# ---- what must hold after a cell

PAGE = [
    ("n = 2", []),
    ("n", []),
    ("print('seen' in globals(), 'after_cell_1' in globals(), n)\nn + 1", []),
    ("_", []),
]
HOLDS = """
def after_cell_0():
    n = 7
    assert n == 7


def after_cell_1():
    seen = n
    assert seen == 2
    print("a word")
"""
FAILS = HOLDS + "\n\ndef after_cell_2():\n    assert n == 3, 'two is not three'\n"
COMPLAINS = """
def after_cell_2():
    import warnings

    warnings.warn("old")
    assert n
"""


@pytest.fixture
def run_once(write):
    def run_once_(cells):
        path = write(cells)
        nbformat.write(store_outputs.execute(path, checks=path.parent / "none"), path)
        return path

    return run_once_


@pytest.fixture
def page(run_once):
    """A notebook with right outputs, which shows whether a check has left something behind."""
    return run_once(PAGE)


def shown(notebook):
    return [
        [(o.get("execution_count"), o.get("text") or o.data["text/plain"]) for o in cell.outputs]
        for cell in notebook.cells
    ]


def test_a_check_sees_the_notebook_and_leaves_nothing_behind(page, check):
    stored = nbformat.read(page, as_version=4)
    assert shown(stored)[2:] == [[(None, "False False 2\n"), (3, "3")], [(4, "3")]]
    result = run_pytest(page, "-o", f"notebook_checks={check(HOLDS)}")
    assert "4 passed" in result.stdout, result.stdout


def test_a_check_is_not_counted(run_once, check):
    path = run_once([*PAGE, ("print(len(In) - 1)", [])])
    assert shown(nbformat.read(path, as_version=4))[-1] == [(None, "5\n")]
    result = run_pytest(path, "-o", f"notebook_checks={check(HOLDS)}")
    assert "5 passed" in result.stdout, result.stdout


def test_a_check_that_fails_fails_its_cell_alone(page, check):
    result = run_pytest(page, "-o", f"notebook_checks={check(FAILS)}")
    assert "1 failed, 3 passed" in result.stdout, result.stdout
    assert re.search(r"^FAILED .*Cell 2\b", result.stdout, re.MULTILINE), result.stdout
    assert "what must hold after the cell does not" in result.stdout
    assert "two is not three" in result.stdout


def test_a_check_that_writes_to_stderr_fails(page, check):
    result = run_pytest(page, "-o", f"notebook_checks={check(COMPLAINS)}")
    assert "1 failed, 3 passed" in result.stdout, result.stdout
    assert "the check after the cell wrote to stderr" in result.stdout


def test_nothing_is_stored_of_a_check_that_holds(page, check):
    stored = nbformat.read(page, as_version=4)
    notebook = store_outputs.execute(page, checks=check(HOLDS))
    assert not store_outputs.faults(notebook)
    assert [cell.id for cell in notebook.cells] == [cell.id for cell in stored.cells]
    assert [cell.execution_count for cell in notebook.cells] == [1, 2, 3, 4]
    assert shown(notebook) == shown(stored)


def test_nothing_is_stored_where_a_check_fails(page, check):
    with pytest.raises(store_outputs.CellExecutionError, match="two is not three"):
        store_outputs.execute(page, checks=check(FAILS))
    complaint = store_outputs.faults(store_outputs.execute(page, checks=check(COMPLAINS)))
    assert len(complaint) == 1
    assert "cell cell-2 wrote to stderr" in complaint[0]


def test_a_notebook_without_a_path_runs_without_checks(page):
    notebook = nbformat.read(page, as_version=4)
    assert shown(store_outputs.run(notebook, page.parent)) == shown(nbformat.read(page, 4))
