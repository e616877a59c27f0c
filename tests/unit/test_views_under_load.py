"""Live views under load: many at once, typed into and dragged for long.

The last state is right, no model runs for a slider or a key, memory stays flat.
"""

import gc
import tracemalloc

import ipywidgets as widgets
import pytest

from helpers.explorers import FillMaskExplorer, SamplingExplorer
from tests.support.page import controls
from tests.support.tiny_models import tiny

VIEWS, MOVES = 40, 600  # a minute of a slider that is asked ten times a second
TEXT_BOXES = (widgets.Text, widgets.Textarea)


@pytest.fixture
def lm():
    return tiny("gpt2")


def test_forty_views_each_keep_their_own_state(lm, passes_of):
    views = [SamplingExplorer(lm, "the cat sat") for _ in range(VIEWS)]
    passes = passes_of(lm)
    for number, view in enumerate(views):
        view.temperature.value = 0.5 + number / 50
        view.top_k.value = number + 1
    assert passes == []
    for number, view in enumerate(views):
        assert f"temperature {0.5 + number / 50:.2f}" in view.status.value
    assert len({view.bars.value for view in views}) > VIEWS / 2


def test_a_slider_dragged_for_a_minute(lm, passes_of):
    view = SamplingExplorer(lm, "the cat sat")
    once = SamplingExplorer(lm, "the cat sat")
    passes = passes_of(lm)

    def drag():
        for move in range(MOVES):
            view.temperature.value = 0.1 + (move % 38) / 20
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    before, after = drag(), drag()
    tracemalloc.stop()
    once.temperature.value = view.temperature.value
    assert (view.bars.value, view.status.value) == (once.bars.value, once.status.value)
    assert passes == []
    assert after - before < 20 * len(view.bars.value)  # not a page kept for each move


@pytest.mark.parametrize("explorer", [SamplingExplorer, FillMaskExplorer])
def test_no_text_box_sends_every_key(explorer):
    """A front end then sends what was typed once typing ends; a value costs one pass."""
    masked = explorer is FillMaskExplorer
    view = explorer(
        *((tiny("bert"), "the [MASK] sat") if masked else (tiny("gpt2"), "the cat sat"))
    )
    boxes = [part for part in controls(view) if isinstance(part, TEXT_BOXES)]
    boxes = [box for box in boxes if box.description != "code"]  # which is there to be copied
    assert boxes
    assert not any(box.continuous_update for box in boxes)


def test_typing_costs_a_pass_a_text(lm, passes_of):
    view = SamplingExplorer(lm, "the cat sat")
    passes = passes_of(lm)
    words = ["the"] * 10
    for n in range(1, len(words) + 1):
        view.prompt.value = " ".join(words[:n])
    assert len(passes) == len(words)
    assert view.bars.value == SamplingExplorer(lm, " ".join(words)).bars.value
