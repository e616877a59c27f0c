"""For all tests outside the notebooks: nothing leaves this machine."""

import socket

import pytest

import helpers.charts

LOOPBACK = ("127.", "::1", "localhost")


@pytest.fixture(autouse=True, scope="session")
def no_network():
    """Refuse connections to other machines, so that a forgotten download fails at once and by
    name.
    """
    connect = socket.socket.connect

    def connect_to_loopback(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and not str(address[0]).startswith(
            LOOPBACK
        ):
            raise OSError(f"a test tried to reach {address[0]}: the tests run without network")
        return connect(self, address)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(socket.socket, "connect", connect_to_loopback)
        yield


@pytest.fixture
def words_shown(monkeypatch):
    """A function: display a widget, and get the words that a page without a kernel shows in its
    place.
    """

    def display(widget):
        shown = []
        monkeypatch.setattr(helpers.charts, "display", lambda data, raw: shown.append(data))
        widget._ipython_display_()
        (data,) = shown
        assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.model_id
        return data["text/plain"]

    return display
