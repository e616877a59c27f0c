"""Notebook 06 in a real browser: its explorer answers the keyboard, the mouse and a new text."""

import pytest
from playwright.sync_api import expect

from tests.browser.test_sampling_explorer import bars, expect_other_bars, number_box

NOTEBOOK = "06_fill_mask_with_bert.ipynb"
CAT, PAIR = "The [MASK] sat on the mat.", "The [MASK] said [MASK]."


@pytest.fixture
def explorer(notebook):
    """The first explorer of the notebook, with the text that it opens on."""
    page = notebook.page
    boxes = notebook.locator(".widget-vbox")
    found = (
        boxes.filter(has=page.locator("[role=status]")).filter(has=page.locator("textarea")).first
    )
    write(found, "text", CAT)
    expect(status(found)).to_contain_text("of 5 words to the right shown")
    write(found, "right words", "5")
    expect(status(found)).to_contain_text("5 of 5 words")
    return found


def status(explorer):
    return explorer.locator("[role=status]")


def write(explorer, label, value):
    box = number_box(explorer, label)
    box.fill(value)
    box.press("Tab")


def test_the_slider_reveals_the_right_side_by_keyboard(explorer):
    handle = explorer.locator(".widget-slider [role=slider]").first
    all_shown = bars(explorer)
    handle.press("Home")
    expect(status(explorer)).to_contain_text("0 of 5 words")
    expect_other_bars(explorer, all_shown)
    expect(explorer.locator(".lmm-sees s")).to_have_count(4)
    handle.press("ArrowRight")
    expect(status(explorer)).to_contain_text("1 of 5 words")
    expect(number_box(explorer, "right words")).to_have_value("1")
    expect(explorer.locator(".lmm-sees")).to_contain_text("sat")
    handle.press("End")
    expect(explorer.locator(".lmm-sees s")).to_have_count(0)


def test_the_slider_moves_by_mouse_and_by_its_box(explorer):
    track = explorer.locator(".widget-slider .noUi-target").first.bounding_box()
    explorer.page.mouse.click(track["x"] + 1, track["y"] + track["height"] / 2)
    expect(status(explorer)).to_contain_text("0 of 5 words")
    write(explorer, "right words", "3")
    expect(status(explorer)).to_contain_text("3 of 5 words")


def test_several_blanks_have_bars_each(explorer):
    expect(explorer.locator("table")).to_have_count(1)
    expect(explorer.locator("table")).to_contain_text("truth")
    write(explorer, "text", PAIR)
    expect(explorer.locator("table")).to_have_count(2)
    expect(status(explorer)).to_contain_text("blank 2")


def test_targets_are_typed_with_commas(explorer):
    write(explorer, "targets", "dog, cat")
    expect(explorer.locator("tbody tr")).to_have_count(3)
    write(explorer, "targets", "dog, crocodile")
    expect(status(explorer)).to_contain_text("is not one token")
    write(explorer, "targets", "")
    expect(explorer.locator("tbody tr")).to_have_count(11)
