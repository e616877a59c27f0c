"""TrainingExplorer: each position of the slider shows what the model saved there says, and the
exact truth; moving it runs no model.
"""

import html
import re

import pytest

from helpers.charts import text_cards
from helpers.explorers import TrainingExplorer
from helpers.explorers.training import TOKENS
from helpers.fill_mask import fill_mask
from helpers.generation import generate_text, next_token_probabilities
from helpers.lab import pocketweb
from helpers.lab.pretraining import Training, watched
from tests.support.page import rows

PROMPT, BLANKED = "What is a", "The [MASK] said that she would be back soon."
SIZE = {"n_layer": 1, "d_model": 16, "n_head": 2, "tokens_per_step": 256, "learning_rate": 0.01}
GENRES = ("explanation", "work")


@pytest.fixture(scope="module")
def trainings():
    kinds = ("causal", "masked")
    return [watched((0, 1, 2, 4), objective=kind, steps=8, genres=GENRES, **SIZE) for kind in kinds]


@pytest.fixture(scope="module")
def explorer(trainings):
    return TrainingExplorer(*trainings, PROMPT, BLANKED)


def shown(explorer):
    return html.unescape(re.sub(r"<[^>]+>", "", explorer.view.value.replace("<br>", " ")))


def test_a_training_keeps_the_models_of_its_steps(trainings):
    for training, kind in zip(trainings, ("causal", "masked"), strict=True):
        assert list(training.models) == [0, 1, 2, 4, 8]
        assert {lm.kind for lm in training.models.values()} == {kind}
        assert [row["step"] for row in training.history] == list(range(1, 9))
        assert training.genres == GENRES


@pytest.mark.parametrize("position", [1, 3, 5])
def test_the_text_is_what_generate_text_writes_with_the_saved_model(explorer, trainings, position):
    explorer.number.value = position
    step, lm = list(trainings[0].models.items())[position - 1]
    text = generate_text(lm, PROMPT, 24, temperature=0.8, top_k=50, seed=1)
    assert explorer.moments[position - 1][0].said == text
    assert text_cards(PROMPT, {"it writes": text}).html in explorer.view.value
    loss = trainings[0].history[min(step, 7)]["loss"]
    heading = f"GPT after {step} step{'' if step == 1 else 's'}, loss {loss:.2f} nats: "
    assert heading in html.unescape(explorer.status.value)


@pytest.mark.parametrize("position", [1, 3, 5])
def test_the_word_is_what_fill_mask_finds_with_the_saved_model(explorer, trainings, position):
    explorer.number.value = position
    step, lm = list(trainings[1].models.items())[position - 1]
    word = fill_mask(lm, BLANKED, top_k=1)[0].token
    assert BLANKED.replace("[MASK]", word) in shown(explorer)
    loss = trainings[1].history[min(step, 7)]["loss"]
    heading = f"BERT after {step} step{'' if step == 1 else 's'}, loss {loss:.2f} nats: "
    assert heading in html.unescape(explorer.status.value)


def test_the_bars_are_the_model_of_the_step_beside_the_truth_of_its_genres(explorer, trainings):
    for position in (1, 5):
        explorer.number.value = position
        gpt, bert = (list(training.models.values())[position - 1] for training in trainings)
        said = {one.token: one.probability for one in next_token_probabilities(gpt, PROMPT)}
        filled = fill_mask(bert, BLANKED, top_k=len(bert.vocabulary))
        filled = {bert.vocabulary[one.token_id]: one.probability for one in filled}
        truths = pocketweb.next_token(PROMPT, GENRES), pocketweb.blank(BLANKED, GENRES)
        tables = explorer.view.value.split("</table>")[:2]
        found = [row for table in tables for row in rows(table)]
        assert len(found) == 2 * TOKENS
        for half, model, truth in zip(
            (found[:TOKENS], found[TOKENS:]), (said, filled), truths, strict=True
        ):
            for row, token in zip(half, truth, strict=False):
                assert row["cells"][0] == token.replace(" ", "·")
                assert row["widths"]["i"] == pytest.approx(model[token], abs=1e-4)
                assert row["widths"]["b"] == pytest.approx(truth[token], abs=1e-4)
            rest = 1 - sum(list(truth.values())[:TOKENS])
            assert f"truth {rest:.1%}" in shown(explorer)


def test_moving_the_slider_runs_no_model(explorer, trainings, passes_of):
    passes = passes_of(*(lm for training in trainings for lm in training.models.values()))
    views = []
    for position in range(1, 6):
        explorer.number.value = position
        views.append(explorer.view.value)
    assert len(set(views)) == 5
    assert passes == []
    generate_text(trainings[0].models[8], PROMPT, 1)
    assert passes, "the counter counts"


def test_it_stands_still_at_the_first_a_middle_and_the_last_step(explorer, words_shown):
    words = words_shown(explorer)
    for step in (0, 2, 8):
        assert re.search(rf"GPT after {step} steps, loss [\d.]+ nats: it writes: {PROMPT}", words)
        assert f"BERT after {step} steps" in words
    assert "GPT after 4 steps" not in words


def test_what_cannot_be_shown_is_refused(trainings):
    gpt, bert = trainings
    with pytest.raises(ValueError, match="kept 1 and 5 models"):
        TrainingExplorer(Training({8: gpt.models[8]}, *gpt[1:]), bert, PROMPT, BLANKED)
    with pytest.raises(ValueError, match="kept 0 and 5 models"):
        TrainingExplorer(None, bert, PROMPT, BLANKED)
    with pytest.raises(ValueError, match="kept 0 and 0 models"):
        TrainingExplorer(*(Training({}, *training[1:]) for training in trainings), PROMPT, BLANKED)
    with pytest.raises(ValueError, match="cannot write 'Hello' in the genres that the GPT reads"):
        TrainingExplorer(gpt, bert, "Hello", BLANKED)
    with pytest.raises(ValueError, match="the BERT reads"):
        TrainingExplorer(gpt, bert, PROMPT, "The [MASK] purrs Hello.")
