"""The tools that run notebooks see what a front end hides, and store what reads well without a
kernel.

All notebooks that pytest runs here are run by one pytest, since it takes seconds to start. `PAGES`
has each notebook's cells and what must hold after them.
"""

import re
import subprocess
import sys
import time

import nbformat
import pytest
from nbclient.output_widget import OutputWidget

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
PAGES = {
    "as stored": (GOOD, ""),
    "changed": ([("print(1)", [])], ""),
    "hidden": ([(WIDGETS, []), *((source, []) for source in BAD.values())], ""),
    "holds": (PAGE, HOLDS),
    "counted": ([*PAGE, ("print(len(In) - 1)", [])], HOLDS),
    "fails": (PAGE, FAILS),
    "stderr": (PAGE, COMPLAINS),
}


def write(path, cells):
    notebook = nbformat.v4.new_notebook()
    for n, (source, tags) in enumerate(cells):
        cell = nbformat.v4.new_code_cell(source, id=f"cell-{n}", metadata={"tags": tags})
        notebook.cells.append(cell)
    nbformat.write(notebook, path)
    return path


def run_once(path, cells):
    """A notebook with right outputs, of which no check has been run."""
    nbformat.write(store_outputs.execute(write(path, cells), checks=path.parent / "none"), path)
    return path


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """{name: path} of the notebooks in one folder, with what must hold in each beside it."""
    folder = tmp_path_factory.mktemp("pages")
    paths = {name: folder / f"{n:02}.ipynb" for n, name in enumerate(PAGES)}
    for name, (cells, checks) in PAGES.items():
        paths[name].with_suffix(".py").write_text(checks, encoding="utf-8")
        (write if name in ("as stored", "hidden") else run_once)(paths[name], cells)
    stored = nbformat.read(paths["changed"], as_version=4)
    stored.cells[0].outputs[0].text = "2\n"
    nbformat.write(stored, paths["changed"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["store_outputs", str(paths["as stored"])])
        with pytest.raises(SystemExit, check=lambda end: not end.code):
            store_outputs.main()
    return paths


@pytest.fixture(scope="module")
def said(pages):
    """What pytest says of all pages."""
    folder = pages["holds"].parent
    options = ["-c", "pyproject.toml", "-p", "no:cacheprovider", "-n", "0", "-rA", "--color=no"]
    options += [f"--rootdir={folder}", "-o", f"notebook_checks={folder}"]
    command = [sys.executable, "-m", "pytest", *options, *map(str, pages.values())]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout


@pytest.fixture
def failed(pages, said):
    """A function: the numbers of the cells of a page that fail under pytest, after a look that the
    others pass.
    """

    def failed_(name):
        found = re.findall(
            rf"^(PASSED|FAILED) \S*{pages[name].name}::Cell (\d+)", said, re.MULTILINE
        )
        words = {int(n): word for word, n in found}
        assert sorted(words) == list(range(len(PAGES[name][0]))), said
        return [n for n in sorted(words) if words[n] == "FAILED"]

    return failed_


def shown(notebook):
    return [
        [(o.get("execution_count"), o.get("text") or o.data["text/plain"]) for o in cell.outputs]
        for cell in notebook.cells
    ]


def read(path):
    return nbformat.read(path, as_version=4)


def test_stored_notebook_passes_strictly_and_reads_well(pages, failed):
    notebook = read(pages["as stored"])
    assert [cell.id for cell in notebook.cells] == [f"cell-{n}" for n in range(5)]
    assert [cell.execution_count for cell in notebook.cells] == [1, 2, 3, 4, 5]
    assert "widgets" not in notebook.metadata
    texts = [[text for _, text in outputs] for outputs in shown(notebook)]
    assert texts == [[], [store_outputs.LIVE_VIEW], ["5\n"], ["3"], []]
    assert failed("as stored") == []


def test_changed_output_fails(failed):
    assert failed("changed") == [0]


def test_hidden_errors_and_warnings_fail_under_pytest(failed):
    assert failed("hidden") == [1, 2, 3, 4]


@pytest.mark.parametrize("kind", ["interact", "output", "stderr"])
def test_hidden_errors_and_warnings_are_not_stored(tmp_path, kind):
    cells = [(WIDGETS + "\ndisplay(out)", ["widget"]), (BAD[kind], ["widget"])]
    notebook = store_outputs.execute(write(tmp_path / "notebook.ipynb", cells))
    assert store_outputs.faults(notebook)


def test_a_reply_that_comes_while_a_widget_is_answered_is_not_missed(tmp_path, monkeypatch):
    """It would be found when the timeout is over."""
    answer = OutputWidget._publish_msg

    def late(*args, **kwargs):
        time.sleep(1)  # the cell's reply comes, and nobody looks
        answer(*args, **kwargs)

    monkeypatch.setattr(OutputWidget, "_publish_msg", late)
    cells = [(WIDGETS + "\ndisplay(out)", ["widget"]), ("with out:\n    print(1)", [])]
    start = time.monotonic()
    store_outputs.execute(write(tmp_path / "notebook.ipynb", cells), timeout=120)
    assert time.monotonic() - start < 120


def test_a_widget_without_its_tag_is_not_stored(tmp_path):
    path = write(tmp_path / "notebook.ipynb", [(WIDGETS + "\nslider", [])])
    notebook = store_outputs.execute(path)
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


def test_a_check_sees_the_notebook_and_leaves_nothing_behind(pages, failed):
    assert shown(read(pages["holds"]))[2:] == [[(None, "False False 2\n"), (3, "3")], [(4, "3")]]
    assert failed("holds") == []


def test_a_check_is_not_counted(pages, failed):
    assert shown(read(pages["counted"]))[-1] == [(None, "5\n")]
    assert failed("counted") == []


def test_a_check_that_fails_fails_its_cell_alone(failed, said):
    assert failed("fails") == [2]
    assert "what must hold after the cell does not" in said
    assert "two is not three" in said


def test_a_check_that_writes_to_stderr_fails(failed, said):
    assert failed("stderr") == [2]
    assert "the check after the cell wrote to stderr" in said


def test_nothing_is_stored_of_a_check_that_holds(pages):
    stored = read(pages["holds"])
    notebook = store_outputs.execute(pages["holds"], checks=pages["holds"].parent)
    assert not store_outputs.faults(notebook)
    assert [cell.id for cell in notebook.cells] == [cell.id for cell in stored.cells]
    assert [cell.execution_count for cell in notebook.cells] == [1, 2, 3, 4]
    assert shown(notebook) == shown(stored)


def test_nothing_is_stored_where_a_check_fails(pages):
    checks = pages["fails"].parent
    with pytest.raises(store_outputs.CellExecutionError, match="two is not three"):
        store_outputs.execute(pages["fails"], checks=checks)
    (complaint,) = store_outputs.faults(store_outputs.execute(pages["stderr"], checks=checks))
    assert "cell cell-2 wrote to stderr" in complaint


def test_a_notebook_without_a_path_runs_without_checks(pages):
    notebook = read(pages["fails"])
    assert shown(store_outputs.run(notebook, pages["fails"].parent)) == shown(read(pages["fails"]))
