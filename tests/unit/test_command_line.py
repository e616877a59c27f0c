"""The command line: what it prints, and what it says when something is wrong."""

import os
import subprocess
import sys

import pytest

from helpers import __main__ as command_line
from helpers.generation import generate_text
from helpers.models import load_causal_lm
from tests.support.notebook_plugin import ROOT
from tests.support.tiny_models import save_tiny

PROMPT = "Once upon a time, in a small village"


def run(capsys, *arguments):
    """The exit status, and what was printed to the two streams."""
    status = command_line.main(list(arguments))
    return status, *capsys.readouterr()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(save_tiny("gpt2", tmp_path_factory.mktemp("model")))


def test_generate_prints_what_the_function_returns(capsys, folder):
    knobs = ("--temperature", "0.7", "--top-k", "50", "--top-p", "0.8", "--seed", "1")
    status, out, err = run(
        capsys, "generate", PROMPT, *knobs, "--max-length", "50", "--model", folder
    )
    text = generate_text(
        load_causal_lm(folder), PROMPT, temperature=0.7, top_k=50, top_p=0.8, max_length=50, seed=1
    )
    assert (status, out, err) == (0, text + "\n", "")
    status, out, err = run(
        capsys, "generate", "a", "--greedy", "--max-new-tokens", "5", "--model", folder
    )
    assert out == generate_text(load_causal_lm(folder), "a", 5, do_sample=False) + "\n"


def test_generate_uses_the_bundled_model(capsys):
    status, out, err = run(capsys, "generate", PROMPT, "--max-length", "20", "--seed", "0")
    assert (status, err) == (0, "")
    assert out.startswith(PROMPT)


def test_several_texts(capsys, folder):
    knobs = (
        "--num-return-sequences",
        "2",
        "--seed",
        "0",
        "--max-new-tokens",
        "5",
        "--model",
        folder,
    )
    status, out, _ = run(capsys, "generate", "a", *knobs)
    texts = generate_text(load_causal_lm(folder), "a", 5, seed=0, num_return_sequences=2)
    assert (status, out) == (0, "\n\n".join(texts) + "\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["", "--greedy"], "The text is empty."),
        (["a", "--temperature", "0"], "use --greedy."),
        (["a", "--top-k", "-3"], "--top-k must be a whole number from 0"),
        (["a", "--top-p", "1.5"], "--top-p must be a number above 0 and at most 1, not 1.5."),
        (["a", "--top-p", "nan"], "--top-p must be a number above 0 and at most 1, not nan."),
        (["a", "--top-p", "0.9", "--greedy"], "With --greedy nothing is drawn, and --top-p"),
        (["a", "--max-length", "1"], "--max-length 1 includes the prompt's"),
        (["a", "--max-new-tokens", "9999"], "Set --max-new-tokens to at most"),
        (["a", "--model", "gpt2"], "'gpt2' is not available"),
        (["a", "--model", "pocket-bert"], "is a masked model"),
        (["a", "--model", "pocket-bert"], "Name with --model a causal model"),
        (["a", "--temperature", "-1"], "--temperature must be a finite number"),
        (["a", "--seed", "-1"], "--seed must be a whole number"),
        (["a", "--num-return-sequences", "0"], "--num-return-sequences must be"),
        (["a", "--num-return-sequences", "2", "--greedy"], "leave --num-return-sequences at 1"),
        (["a", "--greedy", "--max-length", "1"], "or --max-new-tokens instead"),
    ],
)
def test_errors_are_one_sentence_and_status_2(capsys, arguments, sentence):
    status, out, err = run(capsys, "generate", *arguments)
    assert (status, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1


def test_warnings_are_one_line_on_the_error_stream(capsys):
    status, out, err = run(capsys, "generate", "xylophones", "--seed", "1", "--max-new-tokens", "3")
    assert (status, err) == (
        0,
        "pocket-gpt2 has never seen: xylophones. It reads them byte by byte.\n",
    )
    assert out.startswith("xylophones")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["write"],
        ["generate"],
        ["generate", "a", "--temperature", "hot"],
        ["generate", "a", "--beams", "3"],
        ["prefetch"],
        ["pretrain", "--objective", "telepathy"],
    ],
)
def test_wrong_usage_is_status_2(capsys, arguments):
    with pytest.raises(SystemExit) as exit:
        command_line.main(arguments)
    assert exit.value.code == 2
    assert "usage: python -m helpers" in capsys.readouterr().err


@pytest.mark.parametrize("command", [[], ["generate"], ["pretrain"], ["prefetch"]])
def test_help(capsys, command):
    with pytest.raises(SystemExit) as exit:
        command_line.main([*command, "--help"])
    assert exit.value.code == 0
    assert " ".join(["usage: python -m helpers", *command]) in capsys.readouterr().out


def test_prefetch_prints_sizes_and_the_variables_for_the_room(capsys, folder):
    status, out, _ = run(capsys, "prefetch", "pocket-gpt2", folder)
    assert status == 0
    assert [line.partition(":")[0] for line in out.splitlines()[:2]] == ["pocket-gpt2", folder]
    assert " MB in " in out
    assert "HF_HUB_OFFLINE=1" in out
    assert "HF_HUB_CACHE=" in out


def test_prefetch_without_network_says_so(capsys):
    status, out, err = run(capsys, "prefetch", "bert-base-uncased")
    assert (status, out) == (2, "")
    assert "'bert-base-uncased' is not available" in err


def test_an_interruption_is_not_a_traceback(capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line, "_generate", interrupted)
    status, out, err = run(capsys, "generate", "a")
    assert (status, out, err) == (130, "", "Interrupted.\n")


def test_a_closed_pipe_is_not_a_traceback(monkeypatch, capsys):
    nobody, pipe = os.pipe()
    os.close(nobody)
    with os.fdopen(pipe, "w") as closed:  # at the end of the process, too, nothing is raised
        monkeypatch.setattr(sys, "stdout", closed)
        assert command_line.main(["generate", PROMPT, "--seed", "0"]) == 141
    assert capsys.readouterr().err == ""


def test_the_module_is_a_command():
    command = [sys.executable, "-m", "helpers", "generate"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: python -m helpers generate" in done.stderr
