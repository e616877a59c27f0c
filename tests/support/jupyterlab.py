"""A real JupyterLab on loopback, driven by headless Chromium through Playwright.

The browser tests, their benchmark and the README's picture share it. Nothing but loopback can be
reached, and whatever a page tries to reach beyond it is written down. `CHROMIUM` names the
browser's file where it stands in no usual place.
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
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Locator, Page, expect, sync_playwright

from tests.support.notebook_plugin import ROOT, offline_environment

expect.set_options(timeout=30_000)  # a busy machine is slow, not wrong

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    *(
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
    ),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "notebook-extension/tracker": {
        "windowingMode": "none"
    },  # every cell is in the page, also below the fold
    "docmanager-extension/plugin": {"autosave": False},
}
FAULTS = (
    "[data-mime-type$='jupyter.stderr'], [data-mime-type$='jupyter.error'], "
    ".jupyter-widgets-error-widget, .jp-mod-broken"
)
KERNEL_IS_IDLE = """() =>
    window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"""
RUN_ALL = "() => window.jupyterapp.commands.execute('notebook:run-all-cells')"
SET_THEME = """theme =>
    window.jupyterapp.commands.execute('apputils:change-theme', {theme: `JupyterLab ${theme}`})"""
THEME_IS = "theme => document.body.dataset.jpThemeLight === String(theme === 'Light')"
FILLS_THE_PAGE = """() => {
    const main = document.querySelector('#main').getBoundingClientRect()
    const panel = window.jupyterapp.shell.currentWidget.node.getBoundingClientRect()
    return main.width === innerWidth && Math.abs(panel.bottom - innerHeight) < 100
        && panel.right <= innerWidth && panel.width > innerWidth - 100
}"""


class Opened(NamedTuple):
    """A notebook that has run in a page."""

    page: Page
    notebook: Locator
    beyond_loopback: list  # addresses that the page tried to reach


class Lab:
    """A JupyterLab server of our own on a copy of the notebooks."""

    def __init__(self, folder):
        self.work = Path(folder) / "work"
        shutil.copytree(ROOT / "notebooks", self.work / "notebooks")
        for name, setting in SETTINGS.items():
            file = Path(folder) / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
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
        own = {variable: str(Path(folder) / name) for variable, name in folders.items()}
        command = [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
            *("--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"),
            *(f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={self.work}"),
            "--LabApp.expose_app_in_browser=True",
        ]
        self.log = Path(folder) / "server.log"
        with self.log.open("w") as log:
            env = {**os.environ, **offline_environment(folder), **own}
            self.process = subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT)

    def api(self, method, path):
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(f"{self.base}/api/{path}", method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as reply:
            body = reply.read()
        return json.loads(body) if body else None

    def wait(self, seconds=300):
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.api("GET", "status")
            except OSError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(
                        "JupyterLab did not start:\n" + self.log.read_text()[-3000:]
                    ) from error
                time.sleep(0.1)

    def stop(self):
        try:
            self.api("POST", "shutdown")  # stops the kernels too, on every system
            self.process.wait(20)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()

    @contextmanager
    def opened(self, browser, name, **options):
        """A fresh copy of a notebook, without outputs, opened in a page of its own and run whole:
        an `Opened`.

        `options` are those of Playwright's `new_context`.
        """
        notebook = json.loads((self.work / "notebooks" / name).read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"], cell["execution_count"] = [], None
        copy = self.work / "notebooks" / f"{Path(name).stem}-{secrets.token_hex(4)}.ipynb"
        copy.write_text(json.dumps(notebook), encoding="utf-8")  # a new file: a new kernel
        beyond = []

        def only_loopback(route):
            if route.request.url.startswith((self.base, "data:", "blob:")):
                route.continue_()
            else:
                beyond.append(route.request.url)
                route.abort()

        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        context.set_default_timeout(300_000)
        context.route("**/*", only_loopback)
        page = context.new_page()
        try:
            page.goto(f"{self.base}/doc/tree/notebooks/{copy.name}?reset&token={self.token}")
            page.wait_for_selector("#jupyterlab-splash", state="detached")
            page.wait_for_function(KERNEL_IS_IDLE)
            done = page.evaluate(
                RUN_ALL
            )  # resolves when the last cell has run, or at the first error
            errors = page.locator("[data-mime-type$='jupyter.error']").all_inner_texts()
            assert done, f"a cell of {name} failed: {errors}"
            shown = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook")
            expect(shown).to_be_visible()
            yield Opened(page, shown, beyond)
        finally:
            context.close()
            for session in self.api("GET", "sessions"):
                if session["path"].endswith(copy.name):
                    self.api("DELETE", f"sessions/{session['id']}")  # and its kernel


@contextmanager
def running_lab(folder):
    server = Lab(folder)
    try:
        server.wait()
        yield server
    finally:
        server.stop()


def find_browser():
    """The file of a Chromium, or None."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


@contextmanager
def running_browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=find_browser(), headless=True, args=FLAGS
        )
        yield chromium
        chromium.close()


def set_theme(page, theme):
    """Make JupyterLab "Light" or "Dark"."""
    page.evaluate(SET_THEME, theme)
    page.wait_for_function(THEME_IS, arg=theme)


def set_size(page, width, height):
    """Make the page as wide and high as that, and wait until JupyterLab has laid it out anew."""
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_function(FILLS_THE_PAGE)
