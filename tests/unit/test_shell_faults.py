"""The command line as a process: code pages, closed and full outputs, Ctrl-C from the first import.

Each is one line or nothing on the standard error, the right exit status, and no traceback.
"""

import io
import os
import subprocess
import sys
import warnings

import pytest

from helpers import __main__ as command_line
from tests.support.notebook_plugin import ROOT

POSIX = pytest.mark.skipif(os.name != "posix", reason="signals and descriptors of POSIX")
GENERATE = ["generate", "Once upon a time", "--seed", "0", "--max-new-tokens", "3"]
COMMAND = [sys.executable, "-m", "helpers"]


def in_a_shell(command, **environment):
    done = subprocess.run(
        ["sh", "-c", command], cwd=ROOT, env=os.environ | environment, capture_output=True
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize(
    ("encoding", "text"), [("cp1252", "😀 é"), ("ascii", "é 猫"), ("cp437", "€")]
)
def test_a_console_that_cannot_write_a_character(encoding, text, monkeypatch):
    """UnicodeEncodeError, and the text was lost. Now the text, with a question mark."""
    console = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", console)
    prompt = f"Once {text} upon"
    with warnings.catch_warnings():
        assert command_line.main(["generate", prompt, *GENERATE[2:]]) == 0
    shown = console.buffer.getvalue().decode(encoding)
    assert shown.startswith(prompt.encode(encoding, "replace").decode(encoding))
    assert "?" in shown


@POSIX
@pytest.mark.parametrize(
    ("redirection", "status", "said"),
    [
        (">/dev/full", 2, "The output cannot be read or written (No space left on device).\n"),
        (">&- 2>&-", 0, ""),
    ],
)
def test_a_closed_or_full_output(redirection, status, said):
    """An AttributeError, an OSError or "Exception ignored" and status 120."""
    command = (
        f"exec {sys.executable} -m helpers generate 'The cat' --max-new-tokens 2 {redirection}"
    )
    found, out, err = in_a_shell(command)
    assert (found, err) == (status, said)
    assert (out == "") == (">" in redirection.replace("2>", ""))


def test_streams_that_are_closed(monkeypatch, capsys):
    """An AttributeError; and a sentence for the error stream must not end in the output."""
    monkeypatch.setattr(sys, "stderr", None)
    assert command_line.main(["generate", ""]) == 2
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(sys, "stdout", None)
    assert command_line.main(GENERATE) == 0


@POSIX
def test_a_help_text_for_nobody():
    """ "Exception ignored in" and status 120. argparse itself keeps silent about it."""
    command = f"exec {sys.executable} -m helpers --help"
    assert in_a_shell(f"{command} >/dev/full") == (0, "", "")
    assert in_a_shell(f"{command} | :")[2] == ""


@POSIX
@pytest.mark.parametrize(
    ("command", "module"),
    [
        (GENERATE, "argparse"),
        (GENERATE, "torch"),
        (GENERATE, "transformers"),
        (["pretrain", "--steps", "1"], "torch"),
        (["prefetch", "x"], "transformers"),
    ],
)
def test_ctrl_c_while_importing(command, module, tmp_path):
    """27 to 70 lines of traceback. Now "Interrupted." and status 130; nothing was begun.

    The interruption comes when the module begins to be imported.
    """
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {module!r} and '-m' in sys.orig_argv:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [*COMMAND, *command], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Interrupted.\n")
