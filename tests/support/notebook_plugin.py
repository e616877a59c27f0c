"""The pytest plugin that runs notebooks with widgets under nbval, offline, with any version of
ipywidgets.

pyproject.toml loads it with `-p tests.support.notebook_plugin`, so that it is there for `pytest
notebooks` too, for which no conftest.py of `tests/` is read. It
- gives the tests and the notebooks' kernels one environment: no network, an empty model cache, one
  thread;
- shares the tests out among two processes: a notebook, a page of the browser and a file of tests
  stay together;
- runs cells that show a widget but compares no output of theirs, as ids of widgets differ from run
  to run;
- fails a cell that writes to stderr: a warning in a lesson is a fault;
- runs what must hold after a cell, from `tests/notebook_checks`, in the notebook's own kernel;
- runs the browser tests last, since Playwright keeps the event loop that nbval needs.

It leaves out what a front end does: callbacks of widgets run, and an error in one fails the cell.
"""

import atexit
import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.support import notebook_checks

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "tests" / "benchmarks"
BROWSER_TESTS = ROOT / "tests" / "browser"
# The notebooks, by the README's table of what they take.
LONGEST = ("02", "03", "07", "04", "05", "01", "06")
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def offline_environment(scratch):
    """The environment variables for a kernel without network, whose caches are empty folders below
    `scratch`.

    Example:
        >>> offline_environment("/somewhere")["HF_HUB_OFFLINE"]
        '1'
    """
    scratch = Path(scratch)
    python_path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        "HF_HOME": str(scratch / "huggingface"),
        "HF_HUB_OFFLINE": "1",
        "IPYTHONDIR": str(scratch / "ipython"),
        "OMP_NUM_THREADS": os.environ.get(
            "OMP_NUM_THREADS", "1"
        ),  # two processes with two threads each only wait
        "PYTHONPATH": os.pathsep.join(python_path),  # kernels do not see pytest's own `pythonpath`
        "TOKENIZERS_PARALLELISM": "false",
    }


# At import, since torch and huggingface_hub read these once, when they are imported themselves.
_scratch = tempfile.mkdtemp(prefix="language-models-measured-")
atexit.register(shutil.rmtree, _scratch, ignore_errors=True)
os.environ.update(offline_environment(_scratch))
_profile = Path(os.environ["IPYTHONDIR"], "profile_default")
_profile.mkdir(parents=True)
_profile.joinpath("ipython_kernel_config.py").write_text("c.IPKernelApp.log_level = 40  # errors\n")
for _name in ("HF_HUB_CACHE", "HF_ENDPOINT", "MPLBACKEND"):  # they would lead past the empty cache
    os.environ.pop(_name, None)


def pytest_addoption(parser):
    parser.addini(
        "notebook_checks",
        "folder of what must hold in the notebooks",
        "string",
        str(notebook_checks.FOLDER),
    )


def pytest_configure(config):
    sanitize = config.option.nbval_sanitize_with
    if sanitize and not Path(sanitize).is_absolute():
        config.option.nbval_sanitize_with = str(
            ROOT / sanitize
        )  # pytest may be started in any folder

    import nbval.kernel

    def execute(self, cell_input, allow_stdin=None):
        return self.kc.execute(
            cell_input, store_history=True, allow_stdin=allow_stdin, stop_on_error=False
        )

    # nbval sends store_history=False, and IPython then ignores the semicolon that ends a cell.
    nbval.kernel.RunningKernel.execute_cell_input = execute


def asked_for(config, folder):
    """Whether the command line names a folder, or something in it."""
    asked = [Path(arg.split("::")[0]).resolve() for arg in config.args]
    return any(path == folder or folder in path.parents for path in asked)


def pytest_ignore_collect(collection_path, config):
    """Benchmarks run only when they are asked for by name."""
    return True if collection_path == BENCHMARKS and not asked_for(config, BENCHMARKS) else None


@pytest.hookimpl(tryfirst=True)  # before the answer of xdist itself, the number of cores
def pytest_xdist_auto_num_workers(config):
    """What `-n auto` means: two processes, and one alone for what is timed."""
    return 0 if asked_for(config, BENCHMARKS) else 2


def pytest_collectstart(collector):
    if hasattr(collector, "skip_compare"):  # nbval's notebook
        collector.skip_compare += ("stderr", "text/html", "image/svg+xml")


def is_notebook_cell(item):
    return hasattr(item, "cell") and hasattr(item, "options")


class Together(LoadScopeScheduling):
    """Deals the tests out to the processes, in their order: what belongs together goes to one of
    them.

    That is a notebook, a file of tests, and in the browser a page, by the first parameter of the
    test's name. (xdist's own `--dist loadgroup` marks the names of the tests, which pytest 9.2
    ignores.)
    """

    def _split_scope(self, nodeid):
        page = re.search(r"^tests/browser/.*\[(\w+)", nodeid)
        return page[1] if page else nodeid.split("::")[0]


def pytest_xdist_make_scheduler(config, log):
    return Together(config, log)


def order(item):
    """The long notebooks first, so that no process waits for one at the end; the browser last."""
    number = item.path.stem[:2] if is_notebook_cell(item) else ""
    place = LONGEST.index(number) if number in LONGEST else len(LONGEST)
    return place, BROWSER_TESTS in item.path.parents


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if is_notebook_cell(item):
            # nbval allows 5 seconds between two messages: too few on a busy machine
            item.output_timeout = item.config.option.nbval_cell_timeout
            kinds = {
                kind for output in item.cell.get("outputs", []) for kind in output.get("data", {})
            }
            tags = item.cell.metadata.get("tags", [])
            if ("widget" in tags or WIDGET_VIEW in kinds) and "nbval-check-output" not in tags:
                item.options["check"] = False
    items.sort(key=order)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    yield
    if is_notebook_cell(item) and not item.options["check_exception"]:
        fail_for_stderr("the cell", item.test_outputs or [])
        folder = item.config.getini("notebook_checks")
        if program := notebook_checks.programs(item.path, folder).get(item.cell.get("id")):
            run_check(item.parent.kernel, program, item.config.option.nbval_cell_timeout)


def fail_for_stderr(who, outputs):
    if written := [output["text"] for output in outputs if output.get("name") == "stderr"]:
        pytest.fail(f"{who} wrote to stderr:\n" + "".join(written)[:2000], pytrace=False)


def run_check(kernel, program, timeout):
    """Run what must hold after a cell in its notebook's kernel, and fail where it does not."""
    request = kernel.kc.execute(program, silent=True, allow_stdin=False, stop_on_error=False)
    reply = None
    while reply is None or reply["parent_header"].get("msg_id") != request:
        reply = kernel.get_message("shell", timeout)
    outputs, ended = [], False
    while not ended:
        message = kernel.get_message("iopub", timeout)
        if message["parent_header"].get("msg_id") == request:
            outputs.append(message["content"])
            ended = message["content"].get("execution_state") == "idle"
    if reply["content"]["status"] == "error":
        trace = "\n".join(reply["content"]["traceback"])
        pytest.fail(f"what must hold after the cell does not:\n{trace}", pytrace=False)
    fail_for_stderr("the check after the cell", outputs)
