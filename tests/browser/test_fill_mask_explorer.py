"""`FillMaskExplorer` in a real browser: it answers the keyboard, the mouse and a new text."""

import pytest
from playwright.sync_api import expect

from tests.browser.hands import bars, box, expect_other_bars, write

CAT, PAIR = "The [MASK] sat on the mat.", "The [MASK] said [MASK]."


@pytest.fixture
def explorer(output):
    """With the text that it opens on."""
    found = output("fill mask")
    write(found, "text", CAT)
    expect(status(found)).to_contain_text("of 5 words to the right shown")
    write(found, "right words", "5")
    expect(status(found)).to_contain_text("5 of 5 words")
    return found


def status(explorer):
    return explorer.get_by_role("status")


def test_the_slider_reveals_the_right_side_by_keyboard(explorer):
    handle = explorer.get_by_role("slider")
    all_shown = bars(explorer)
    handle.press("Home")
    expect(status(explorer)).to_contain_text("0 of 5 words")
    expect_other_bars(explorer, all_shown)
    expect(explorer.locator(".lmm-sees s")).to_have_count(4)
    handle.press("ArrowRight")
    expect(status(explorer)).to_contain_text("1 of 5 words")
    expect(box(explorer, "right words")).to_have_value("1")
    expect(explorer.locator(".lmm-sees")).to_contain_text("sat")
    handle.press("End")
    expect(explorer.locator(".lmm-sees s")).to_have_count(0)


def test_the_slider_moves_by_mouse_and_by_its_box(explorer):
    track = explorer.locator(".noUi-target")
    track.scroll_into_view_if_needed()
    place = track.bounding_box()
    explorer.page.mouse.click(place["x"] + 1, place["y"] + place["height"] / 2)
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
