"""For all tests outside the notebooks: nothing leaves this machine."""

import socket
import subprocess

import pytest

import helpers.charts
from tests.support.notebook_plugin import ROOT

LOOPBACK = ("127.", "::1", "localhost")


@pytest.fixture(autouse=True, scope="session")
def no_network():
    """Refuse connections to other machines: a forgotten download fails at once and by name."""
    connect = socket.socket.connect

    def connect_to_loopback(self, address):
        internet = self.family in (socket.AF_INET, socket.AF_INET6)
        if internet and not str(address[0]).startswith(LOOPBACK):
            raise OSError(f"a test tried to reach {address[0]}: the tests run without network")
        return connect(self, address)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(socket.socket, "connect", connect_to_loopback)
        yield


@pytest.fixture
def words_shown(monkeypatch):
    """A function: display a widget, and get the words that stand for it without a kernel."""

    def display(widget):
        shown = []
        monkeypatch.setattr(helpers.charts, "display", lambda data, raw: shown.append(data))
        widget._ipython_display_()
        (data,) = shown
        assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.model_id
        return data["text/plain"]

    return display


@pytest.fixture(scope="session")
def repository_files():
    """Paths of all files that belong to the repository, tracked or about to be."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this copy has no Git repository, which knows what belongs to it")
    names = [name for name in listed.stdout.split("\0") if name]
    return [ROOT / name for name in names if (ROOT / name).is_file()]
