"""A real JupyterLab on loopback, driven by headless Chromium through Playwright.

Without a browser these tests are skipped, and fail where the environment says `CI=true`. `CHROMIUM` names the
browser's file where it stands in no usual place. Screenshots go to `tests/browser/screenshots/`.
"""
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.notebook_plugin import ROOT, offline_environment

playwright_api = pytest.importorskip("playwright.sync_api")
playwright_api.expect.set_options(timeout=20_000)  # a busy machine is slow, not wrong

SCREENSHOTS = Path(__file__).parent / "screenshots"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "notebook-extension/tracker": {"windowingMode": "none"},  # every cell is in the page, also below the fold
    "docmanager-extension/plugin": {"autosave": False},
}
KERNEL_IS_IDLE = """() =>
    window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"""
RUN_ALL = "() => window.jupyterapp.commands.execute('notebook:run-all-cells')"
SET_THEME = """theme =>
    window.jupyterapp.commands.execute('apputils:change-theme', {theme: `JupyterLab ${theme}`})"""
THEME_IS = "theme => document.body.dataset.jpThemeLight === String(theme === 'Light')"


class Lab:
    """A JupyterLab server of our own on a copy of the notebooks."""

    def __init__(self, folder):
        self.work = folder / "work"
        shutil.copytree(ROOT / "notebooks", self.work / "notebooks")
        for name, setting in SETTINGS.items():
            file = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(setting))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.base, self.token = f"http://127.0.0.1:{port}", secrets.token_hex(16)
        folders = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        }
        own = {variable: str(folder / name) for variable, name in folders.items()}
        command = [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
            *("--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"),
            *(f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={self.work}"),
            "--LabApp.expose_app_in_browser=True",
        ]
        self.log = folder / "server.log"
        with self.log.open("w") as log:
            env = {**os.environ, **offline_environment(folder), **own}
            self.process = subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT)

    def api(self, method, path):
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(f"{self.base}/api/{path}", method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as reply:
            body = reply.read()
        return json.loads(body) if body else None

    def wait(self, seconds=120):
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.api("GET", "status")
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail("JupyterLab did not start:\n" + self.log.read_text()[-3000:])
                time.sleep(0.1)

    def stop(self):
        try:
            self.api("POST", "shutdown")  # stops the kernels too, on every system
            self.process.wait(20)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()


@pytest.fixture(scope="session")
def lab(tmp_path_factory, browser):
    server = Lab(tmp_path_factory.mktemp("lab"))
    try:
        server.wait()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def browser():
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        reason = "no Chromium on this machine: install it, or name its file in the variable CHROMIUM"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with playwright_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, headless=True, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def open_notebook(lab, browser):
    """A function: open a fresh copy of a notebook, without outputs; (page, the notebook in it)."""
    contexts = []

    def only_loopback(route):
        if route.request.url.startswith((lab.base, "data:", "blob:")):
            route.continue_()
        else:
            route.abort()

    def open_(name):
        notebook = json.loads((lab.work / "notebooks" / name).read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"], cell["execution_count"] = [], None
        copy = lab.work / "notebooks" / f"{Path(name).stem}-{secrets.token_hex(4)}.ipynb"
        copy.write_text(json.dumps(notebook), encoding="utf-8")  # a new file: a new kernel
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        contexts.append(context)
        context.set_default_timeout(120_000)
        context.route("**/*", only_loopback)
        page = context.new_page()
        page.goto(f"{lab.base}/doc/tree/notebooks/{copy.name}?reset&token={lab.token}")
        page.wait_for_selector("#jupyterlab-splash", state="detached")
        page.wait_for_function(KERNEL_IS_IDLE)
        assert page.evaluate(RUN_ALL), "a cell failed"  # resolves when the last cell has run
        shown = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook")
        playwright_api.expect(shown).to_be_visible()
        return page, shown

    yield open_
    for context in contexts:
        context.close()
    for kernel in lab.api("GET", "kernels"):
        lab.api("DELETE", f"kernels/{kernel['id']}")


@pytest.fixture(scope="module")
def opened(open_notebook, request):
    """The notebook that the test module names `NOTEBOOK`: (page, the notebook in it)."""
    return open_notebook(request.module.NOTEBOOK)


@pytest.fixture
def notebook(opened):
    return opened[1]


@pytest.fixture
def screenshots():
    """A function: keep pictures of what a locator holds, in both themes, at 1280 and at 400 pixels."""

    def take(page, locator, name):
        SCREENSHOTS.mkdir(exist_ok=True)
        for theme in ("Dark", "Light"):
            page.evaluate(SET_THEME, theme)
            page.wait_for_function(THEME_IS, arg=theme)
            for width in (400, 1280):
                page.set_viewport_size({"width": width, "height": 1600})
                locator.scroll_into_view_if_needed()
                page.wait_for_timeout(300)  # the layout follows the new width
                file = SCREENSHOTS / f"{name}-{theme.lower()}-{width}.png"
                locator.screenshot(path=file, animations="disabled")

    return take
