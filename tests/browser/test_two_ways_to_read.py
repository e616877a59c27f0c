"""Notebook 01 in a real browser: its sliders move what they should and nothing else."""

import re

import pytest
from playwright.sync_api import expect

NOTEBOOK = "01_two_ways_to_read.ipynb"


@pytest.fixture
def explorer(notebook):
    """The innermost box that holds both a status line and a text."""
    page = notebook.page
    boxes = notebook.locator(".widget-vbox")
    return (
        boxes.filter(has=page.locator("[role=status]")).filter(has=page.locator("textarea")).first
    )


def handle(box):
    return box.locator(".widget-slider [role=slider]").first


def bars(explorer):
    """The tables of the causal and of the masked model, as text."""
    return [explorer.locator("table").nth(n).inner_text() for n in (0, 1)]


def test_the_first_slider_hides_another_word(notebook):
    box = (
        notebook.locator(".widget-vbox")
        .filter(has=notebook.page.get_by_label("hide word", exact=True))
        .first
    )
    guess = box.locator("mark")
    handle(box).press("Home")
    expect(box.get_by_label("hide word", exact=True)).to_have_value("1")
    expect(box.locator("p").first).to_have_text(re.compile(rf"^\s*{guess.inner_text()}\b"))
    first = guess.inner_text()
    handle(box).press("End")
    expect(guess).not_to_have_text(first)
    expect(box.locator("[role=status]")).to_contain_text("BERT says")


def test_revealing_moves_the_masked_bars_alone(explorer):
    status = explorer.locator("[role=status]")
    handle(explorer).press("Home")
    expect(status).to_contain_text("0 of 11 words")
    causal, masked = bars(explorer)
    for n in range(1, 5):
        handle(explorer).press("ArrowRight")
        expect(status).to_contain_text(f"{n} of 11 words")
    handle(explorer).press("End")
    expect(status).to_contain_text("11 of 11 words")
    expect(explorer.get_by_label("revealed", exact=True)).to_have_value("11")
    assert bars(explorer)[0] == causal
    assert bars(explorer)[1] != masked


def test_a_place_is_typed_into_the_labelled_box(explorer):
    box = explorer.get_by_label("revealed", exact=True)
    box.fill("3")
    box.press("Enter")
    expect(explorer.locator("[role=status]")).to_contain_text("3 of 11 words")
    expect(explorer.locator(".lmm-sees").nth(1).locator("s")).to_have_count(8)
    expect(explorer.locator(".lmm-sees").nth(0).locator("s")).to_have_count(11)


def test_another_text_is_read_when_the_box_is_left(explorer):
    text, status = explorer.get_by_label("text", exact=True), explorer.locator("[role=status]")
    before = text.input_value()
    text.fill("Leo took the [MASK] and hit a nail.")
    text.blur()
    expect(status).to_contain_text("0 of 4 words")
    expect(explorer.locator("table").first).to_contain_text("hammer")
    text.fill("no blank")
    text.blur()
    expect(status).to_contain_text("must hold one [MASK]")
    text.fill(before)
    text.blur()
    expect(status).to_contain_text("0 of 11 words")
