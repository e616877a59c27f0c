"""Greedy, beam search and the most probable text, against transformers and the grammar."""

import math
import re

import pytest

from helpers.generation import generate_text
from helpers.lab import pocketweb
from helpers.lab.best_text import text_tree
from helpers.models import load_causal_lm
from tests.support.tiny_models import tiny


@pytest.fixture(scope="module")
def lm():
    return load_causal_lm("pocket-gpt2", device="cpu")


def leaves(prompt, picture):
    """{way: (the whole text, its chance in per cent)} as the lines of a tree say it."""
    found, above = {}, []
    for depth, percent, piece in re.findall(
        r"^( *)- ([\d.]+) %: (.*(?:\n(?! *- ).*)*)", picture.text, re.M
    ):
        piece, _, ways = piece.partition(" (")
        above = [*above[: len(depth) // 2], piece]
        text = " ".join(above)
        assert text.startswith(prompt)
        found |= dict.fromkeys(ways.rstrip(")").split(", ") if ways else [], (text, float(percent)))
    return found


def chance(prompt, text):
    """Of the whole text, once the prompt is written, in per cent."""
    whole = pocketweb.log_prob(text + pocketweb.END)
    return 100 * math.exp(whole - pocketweb.log_prob(prompt))


@pytest.mark.parametrize("prompt", ["What is a", "The cat", "Write a"])
def test_the_tree_shows_the_three_texts_and_their_true_chances(lm, prompt):
    found = leaves(prompt, text_tree(lm, prompt))
    assert found.keys() == {"greedy", "beam search with 4", "exact"}
    for text, percent in found.values():
        assert percent == pytest.approx(chance(prompt, text), rel=0.01)
    assert found["greedy"][0] == generate_text(lm, prompt, 100, do_sample=False)
    assert found["exact"][1] == max(percent for _, percent in found.values())


def test_greedy_misses_and_greedy_hits(lm):
    what, cat = (leaves(prompt, text_tree(lm, prompt)) for prompt in ("What is a", "The cat"))
    assert what["greedy"][1] == pytest.approx(0.40, abs=0.01)
    assert what["beam search with 4"] == what["exact"]
    assert what["exact"][1] == pytest.approx(4.71, abs=0.01)
    assert cat["greedy"] == cat["exact"] == cat["beam search with 4"]


def test_one_beam_is_greedy(lm):
    found = leaves("What is a", text_tree(lm, "What is a", num_beams=1))
    assert found["beam search with 1"] == found["greedy"]


def test_a_search_that_stops_says_so(lm):
    picture = text_tree(lm, "Once upon a time", most=50)
    assert "grew 50 texts, none of them ended, and it stopped." in picture.text
    assert "No whole text has a chance above" in picture.html
    assert "exact)" not in picture.text


def test_the_tree_folds_and_nests_without_styles(lm):
    page = re.sub(r' style="[^"]*"', "", text_tree(lm, "What is a").html)
    assert page.count("<details open><summary>") == page.count("</summary>") == 1
    assert re.search(r"</summary><ul><li>[^<]+</li></ul><ul><li>[^<]+</li></ul></details>", page)


def test_a_text_outside_the_language_is_called_impossible():
    picture = text_tree(tiny("pocket-gpt2"), "The cat")
    assert "- impossible: " in picture.text


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"num_beams": 0}, ValueError, "num_beams must be a whole number from 1 to 2697, not 0"),
        ({"num_beams": 2698}, ValueError, "num_beams must be a whole number from 1 to 2697"),
        ({"num_beams": "4"}, TypeError, "num_beams must be a whole number"),
        ({"prompt": "Colourless green ideas"}, ValueError, "Take a beginning that it can"),
        ({"prompt": ""}, ValueError, "The text is empty"),
        ({"lm": tiny("gpt2")}, ValueError, "Use load_causal_lm\\('pocket-gpt2'\\)"),
        ({"lm": "pocket-gpt2"}, TypeError, "must be a model from load_causal_lm"),
    ],
)
def test_bad_input_gets_a_sentence_before_the_model_runs(
    lm, monkeypatch, arguments, error, sentence
):
    monkeypatch.setattr(type(lm.model), "forward", None)
    with pytest.raises(error, match=sentence):
        text_tree(**{"lm": lm, "prompt": "What is a"} | arguments)
