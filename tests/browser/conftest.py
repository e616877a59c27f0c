"""One JupyterLab and one browser for all tests here, and one page for each notebook.

A test that asks for `opened` or `notebook` runs on the notebook that its module names `NOTEBOOK`,
or on every notebook there is. Those of the notebooks that train for long carry the marker
`slow_browser`, and `pytest -m slow_browser tests/browser` runs them.
Without a browser the tests are skipped, and fail where the environment says `CI=true`. Screenshots
go to `tests/browser/screenshots/`.
"""

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api")

from tests.support.jupyterlab import find_browser, running_browser, running_lab, set_theme
from tests.support.notebook_plugin import BROWSER_TESTS, ROOT

SCREENSHOTS = Path(__file__).parent / "screenshots"
ALWAYS = ("01", "05", "06")  # quick to run


def pytest_generate_tests(metafunc):
    if "opened" in metafunc.fixturenames:
        every = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
        names = [metafunc.module.NOTEBOOK] if hasattr(metafunc.module, "NOTEBOOK") else every
        slow = pytest.mark.slow_browser
        values = [
            pytest.param(name, id=name[:2], marks=() if name[:2] in ALWAYS else slow)
            for name in names
        ]
        metafunc.parametrize("opened", values, indirect=True, scope="session")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """All tests of one notebook after each other, whatever their module, so that it is opened
    once.
    """

    def page(item):
        return item.callspec.params.get("opened", "") if hasattr(item, "callspec") else ""

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
        yield server


@pytest.fixture(scope="module")
def open_notebook(lab, browser):
    """A function: open a notebook that a test has put beside the others, and run it."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(lab.opened(browser, name))


@pytest.fixture(scope="session")
def opened(lab, browser, request):
    with lab.opened(browser, request.param) as page:
        yield page


@pytest.fixture
def notebook(opened):
    return opened.notebook


@pytest.fixture
def screenshots():
    """A function: keep pictures of what some locators hold, in both themes, at 1280 and at 400
    pixels.
    """

    def take(page, locators):
        SCREENSHOTS.mkdir(exist_ok=True)
        for theme in ("Dark", "Light"):
            set_theme(page, theme)
            for width in (400, 1280):
                page.set_viewport_size({"width": width, "height": 1600})
                page.wait_for_timeout(300)  # the layout follows the new width
                for name, locator in locators.items():
                    file = SCREENSHOTS / f"{name}-{theme.lower()}-{width}.png"
                    locator.screenshot(path=file, animations="disabled")
        page.set_viewport_size({"width": 1280, "height": 900})

    return take
