"""The tools that run notebooks see what a front end hides, and store what reads well without a
kernel.
"""

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
        for source, tags in cells:
            cell = nbformat.v4.new_code_cell(source, metadata={"tags": tags})
            notebook.cells.append(cell)
        path = tmp_path / "notebook.ipynb"
        nbformat.write(notebook, path)
        return path

    return write_


def run_pytest(path):
    options = [
        "-c",
        "pyproject.toml",
        "--rootdir",
        ".",
        "-p",
        "no:cacheprovider",
        "-q",
        "--color=no",
    ]
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
