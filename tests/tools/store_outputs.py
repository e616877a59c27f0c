"""Run notebooks as a reader would, and store what they show.

    python -m tests.tools.store_outputs notebooks/*.ipynb

Every notebook runs from top to bottom in a fresh kernel, offline, and what must hold after its
cells, from `tests/notebook_checks`, is asked there too. It is written back only if no cell and no
check failed, none wrote to stderr and no callback of a widget failed, which a front end hides
inside the widget. What is stored reads well without a kernel: each widget leaves its static view or
one line of text, finished progress bars are dropped, and there is no widget state. Cell ids stay.
"""

import argparse
import re
import sys
import time
from pathlib import Path

import nbformat
import zmq
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.support import notebook_checks
from tests.support.notebook_plugin import WIDGET_VIEW  # which also sets the offline environment

LIVE_VIEW = "A live view stands here while the notebook runs."
PROGRESS_BAR = re.compile(r"\s*(.*:)?\s*\d+%\|")
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


class Client(NotebookClient):
    """A client that misses no reply.

    To an `Output` widget nbclient answers on the socket on which it waits for the cell's reply. A
    reply that has just come is then announced to the sending alone, and the waiting lasts for the
    whole timeout. Asking the socket what is there wakes it.
    """

    def process_message(self, *args):
        shown = super().process_message(*args)
        self.kc.shell_channel.socket.get(zmq.EVENTS)
        return shown


def execute(path, timeout=600, kernel_name="python3", checks=notebook_checks.FOLDER):
    """The notebook at `path`, run from top to bottom with the checks that the folder `checks` has
    for it; `timeout` is in seconds per cell.
    """
    notebook, programs = nbformat.read(path, as_version=4), notebook_checks.programs(path, checks)
    return run(notebook, Path(path).resolve().parent, timeout, kernel_name, programs)


def run(notebook, folder, timeout=600, kernel_name="python3", programs=None):
    """The notebook, run as if it stood in that folder.

    `programs` are what the kernel runs besides, as {id of a cell: what runs right after it}. One
    that fails raises as a cell does; what one writes to stderr is added to what its cell shows.
    """
    added = add(notebook, programs or {})
    Client(
        notebook,
        timeout=timeout,
        kernel_name=kernel_name,
        resources={"metadata": {"path": str(folder)}},
        store_widget_state=True,
        record_timing=False,
        coalesce_streams=True,
    ).execute()
    take_out(notebook, added)
    return notebook


def add(notebook, programs):
    """Put each program into a cell of its own; returns {id of that cell: the cell it follows}."""
    cells, added = [], {}
    for cell in notebook.cells:
        cells.append(cell)
        if cell.get("id") in programs:
            cells.append(nbformat.v4.new_code_cell(programs[cell.id]))
            added[cells[-1].id] = cell
    notebook.cells = cells
    return added


def take_out(notebook, added):
    """Leave the executed notebook as if the cells that `add` put in had never been there."""
    for cell in notebook.cells:
        if cell.get("id") in added:
            written = [output for output in cell.outputs if output.get("name") == "stderr"]
            added[cell.id].outputs += written
    notebook.cells = [cell for cell in notebook.cells if cell.get("id") not in added]
    ran = [cell for cell in notebook.cells if cell.get("execution_count") is not None]
    for count, cell in enumerate(ran, 1):
        cell.execution_count = count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count


def tags(cell):
    return cell.metadata.get("tags", [])


def is_progress_bar(output):
    return bool(PROGRESS_BAR.match(output.get("data", {}).get("text/plain", "")))


def is_live_view(output):
    return WIDGET_VIEW in output.get("data", {}) and not is_progress_bar(output)


def faults(notebook):
    """One sentence for everything that must not be stored."""
    found = []
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        for output in cell.outputs:
            if output.output_type == "error" and "raises-exception" not in tags(cell):
                found.append(f"cell {cell.id} failed: {output.ename}: {output.evalue}")
            if output.get("name") == "stderr":
                found.append(f"cell {cell.id} wrote to stderr: {output.text.strip()[:500]}")
            if is_live_view(output) and "widget" not in tags(cell):
                found.append(f"cell {cell.id} shows a widget, but has no tag 'widget'")
    widgets = notebook.metadata.get("widgets", {}).get(
        "application/vnd.jupyter.widget-state+json", {}
    )
    for model in widgets.get("state", {}).values():
        if model.get("model_name") == "OutputModel":
            for output in model["state"].get("outputs", []):
                if output["output_type"] == "error" or output.get("name") == "stderr":
                    what = output.get("evalue") or output.get("text")
                    found.append(f"a callback of a widget failed or wrote to stderr: {what}")
    return found


def tidy(notebook):
    """Leave in the executed `notebook` what reads well without a kernel and is the same in every
    run.
    """
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        cell.outputs = [output for output in cell.outputs if not is_progress_bar(output)]
        for output in cell.outputs:
            if output.get("data", {}).pop(WIDGET_VIEW, None) and "text/html" not in output.data:
                output.data = {"text/plain": LIVE_VIEW}  # instead of a list of the widget's parts
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}
    )


def main():
    parser = argparse.ArgumentParser(
        prog="python -m tests.tools.store_outputs", description=__doc__.split("\n")[0]
    )
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--check", action="store_true", help="look for faults, but write nothing")
    options = parser.parse_args()
    failed = False
    for path in options.notebooks:
        start = time.perf_counter()
        try:
            notebook = execute(path)
            found = faults(notebook)
        except CellExecutionError as error:
            found = [str(error)]
        if not found and not options.check:
            tidy(notebook)
            nbformat.write(notebook, path)
        failed |= bool(found)
        print(f"{path}: {'; '.join(found) or 'ok'} ({time.perf_counter() - start:.1f} s)")
    sys.exit(failed)


if __name__ == "__main__":
    main()
