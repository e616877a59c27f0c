"""One JupyterLab and one browser for all tests here, and one page for each notebook.

A test that asks for `opened` or `notebook` runs on the gallery (`gallery.py`), or on the `PAGES`
that its module names. Those that its module does not count among the `ALWAYS` carry the marker
`slow_browser`, and `pytest -m slow_browser tests/browser` runs them. The first word in brackets of
a test's name is its page, by which the tests are shared out.
Without a browser the tests are skipped, and fail where the environment says `CI=true`. Screenshots
go to `tests/browser/screenshots/`.
"""

import os
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api")

from tests.browser import gallery
from tests.support.jupyterlab import find_browser, running_browser, running_lab
from tests.support.notebook_plugin import BROWSER_TESTS

SCREENSHOTS = Path(__file__).parent / "screenshots"
GALLERY = (gallery.NAME,)


def pytest_generate_tests(metafunc):
    if "opened" in metafunc.fixturenames:
        always = getattr(metafunc.module, "ALWAYS", GALLERY)
        values = [
            pytest.param(
                name,
                id=name.partition("_")[0].removesuffix(".ipynb"),
                marks=() if name in always else pytest.mark.slow_browser,
            )
            for name in getattr(metafunc.module, "PAGES", always)
        ]
        metafunc.parametrize("opened", values, indirect=True, scope="session")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """All tests of one page after each other, whatever their module, so that it is opened once.

    The gallery, which takes longest, comes first.
    """

    def page(item):
        opened = item.callspec.params.get("opened", "") if hasattr(item, "callspec") else ""
        return opened != gallery.NAME, opened

    here = [item for item in items if BROWSER_TESTS in item.path.parents]
    items[:] = [item for item in items if item not in here] + sorted(here, key=page)


@pytest.fixture(scope="session")
def browser():
    if find_browser() is None:
        reason = (
            "no Chromium on this machine: install it, or name its file in the variable CHROMIUM"
        )
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with running_browser() as chromium:
        yield chromium


@pytest.fixture(scope="session")
def lab(tmp_path_factory, browser):
    with running_lab(tmp_path_factory.mktemp("lab")) as server:
        gallery.write_gallery(server.work / "notebooks")
        yield server


@pytest.fixture(scope="session")
def opened(lab, browser, request):
    with lab.opened(browser, request.param) as page:
        yield page


@pytest.fixture
def notebook(opened):
    return opened.notebook


@pytest.fixture
def output(notebook):
    """A function: what a cell of the gallery shows, by the cell's name."""
    return lambda name: gallery.output(notebook, name)


@pytest.fixture
def screenshots():
    SCREENSHOTS.mkdir(exist_ok=True)
    return SCREENSHOTS
