"""SurpriseExplorer: the colours are what a model is surprised above differences of `log_prob`."""

import html
import math
import re

import pytest

from helpers.explorers import SurpriseExplorer
from helpers.explorers.surprise import FULL, PIXELS, token_surprises
from helpers.generation import next_token_probabilities
from helpers.lab import pocketweb
from helpers.models import load_causal_lm
from tests.support.tiny_models import tiny

TEXT = "The baker said that she would be back soon.\nThe"
SPAN = re.compile(
    r'<span title="([^"]*)" style="background:rgba\(([\d,]+),([\d.]+)\);'
    r'border-bottom:([\d.]+)px solid #0072B2[^"]*">(.*?)<span style="display:none">(.*?)</span>'
)


@pytest.fixture(scope="module")
def pocket():
    return load_causal_lm("pocket-gpt2", device="cpu")


@pytest.fixture
def explorer(pocket):
    return SurpriseExplorer({"tiny": tiny("pocket-gpt2"), "pocket-gpt2": pocket}, TEXT)


def by_hand(lm, tokens, genres=None):
    """[(surprise, unavoidable)], each from one question to the model and two to the language."""
    found, text = [], ""
    for token in tokens:
        odds = (
            {c.token: c.probability for c in next_token_probabilities(lm, text)}
            if text
            else first_token(lm)
        )
        known = pocketweb.log_prob(text, genres) - pocketweb.log_prob(text + token, genres)
        found.append((-math.log(odds[token]), known))
        text += token
    return found


def first_token(lm):
    import torch

    with torch.no_grad():
        start = torch.tensor([[lm.tokenizer.bos_token_id]])
        odds = lm.model(start).logits[0, -1].softmax(-1).tolist()
    return dict(zip(lm.vocabulary, odds, strict=True))


def said(explorer):
    return html.unescape(re.sub(r"<[^>]+>", "", explorer.status.value))


@pytest.mark.parametrize("genres", [None, ("work",)])
def test_surprises_are_those_of_the_model_and_of_the_truth(pocket, genres):
    tokens = pocketweb.tokenize("The baker said that she would be back soon.")
    found = token_surprises(pocket, "".join(tokens), genres)
    assert [one.text for one in found] == list(tokens)
    for one, (nats, unavoidable) in zip(found, by_hand(pocket, tokens, genres), strict=True):
        assert one.nats == pytest.approx(nats, abs=1e-4)
        assert one.unavoidable == pytest.approx(unavoidable, abs=1e-9)
    total = sum(one.unavoidable for one in found)
    assert total == pytest.approx(-pocketweb.log_prob("".join(tokens), genres))


def test_colours_and_marks_are_these_numbers(explorer, pocket):
    explorer.model.value = "pocket-gpt2"
    found = token_surprises(pocket, TEXT[:-4])
    explorer.text.value = TEXT[:-4]
    spans = SPAN.findall(explorer.view.value)
    assert len(spans) == len(found)
    for one, (title, rgb, alpha, pixels, shown, hidden) in zip(found, spans, strict=True):
        above = one.nats - one.unavoidable
        assert float(alpha) == pytest.approx(0.7 * min(1, max(0, above) / FULL), abs=0.006)
        assert float(pixels) == pytest.approx(PIXELS * one.unavoidable, abs=0.06)
        assert (rgb, shown) == ("213,94,0", one.text.strip())
        assert title in hidden
        assert title == (
            f"{one.nats:.2f} nats, {one.unavoidable:.2f} unavoidable, {above:+.2f} above"
        )


def test_a_worse_model_is_more_surprised_and_the_unavoidable_stays(explorer):
    sums = []
    for explorer.model.value in ("tiny", "pocket-gpt2"):
        explorer.text.value = "The baker said that she would be back soon."
        nats, unavoidable = re.search(
            r"text: ([\d.]+) nats .*?, ([\d.]+) of them unavoidable", explorer.view.value
        ).groups()
        sums.append((float(nats), float(unavoidable)))
    assert sums[0][0] > 2 * sums[1][0]
    assert sums[0][1] == sums[1][1]


def test_outside_of_pocketweb_the_plain_surprise_is_grey_and_said_so(explorer):
    explorer.text.value = "The baker said that chatbots purr."
    spans = SPAN.findall(explorer.view.value)
    colours = [rgb for _, rgb, *_ in spans]
    assert colours == ["213,94,0"] * 4 + ["128,128,128"] * (len(spans) - 4)
    assert "unavoidable" not in spans[-1][0]
    assert "PocketWeb cannot write it: from 'chatbots purr.' on" in explorer.view.value
    assert "has never seen: chatbots" in said(explorer)


def test_the_number_box_reads_every_token_out_and_runs_no_model(explorer, passes_of, pocket):
    explorer.model.value = "pocket-gpt2"
    passes, heard = passes_of(pocket), set()
    for number in range(1, explorer.number.max + 1):
        explorer.number.value = number
        heard.add(said(explorer))
    assert len(heard) == explorer.number.max == len(token_surprises(pocket, TEXT))
    assert len(passes) == 1, "the one of the line above"
    explorer.number.value = 5
    assert "token 5, ' she': 0." in said(explorer)
    assert "0.22 unavoidable" in said(explorer)


def test_a_text_that_cannot_be_read_leaves_a_sentence_and_the_view_goes_on(explorer):
    explorer.text.value = ""
    assert "The text is empty" in said(explorer)
    explorer.number.value = explorer.number.max
    explorer.text.value = "The cat"
    assert "token 2, ' cat'" in said(explorer)
    explorer.text.value = "The cat sat on the mat. " * 60
    assert "reads at most 256: shorten it" in said(explorer)


def test_hostile_text_is_escaped(explorer):
    explorer.text.value = "<img src=x onerror='alert(1)'> <b>"
    assert "<img" not in explorer.view.value
    assert "<img" not in explorer.status.value


def test_a_model_of_other_tokens_has_no_unavoidable():
    found = token_surprises(tiny("gpt2"), "Once upon a time")
    assert found
    assert {one.unavoidable for one in found} == {None}


def test_stored_it_has_all_models_and_numbers(explorer, words_shown):
    words = words_shown(explorer)
    assert "tiny: The whole text:" in words
    assert words.count("' she'") == 2
