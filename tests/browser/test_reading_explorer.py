"""`ReadingExplorer`, and any slider with a number box, in a real browser: they move what they
should and nothing else.
"""

import pytest
from playwright.sync_api import expect

from tests.browser.hands import box, write


@pytest.fixture
def explorer(output):
    return output("reading")


def bars(explorer):
    """The tables of the causal and of the masked model, as text."""
    return [explorer.locator("table").nth(n).inner_text() for n in (0, 1)]


def test_a_slider_and_its_box_go_together(output):
    view = output("hidden word")
    handle, number = view.get_by_role("slider"), box(view, "hide word")
    text, status = view.locator(".lmm-sees"), view.get_by_role("status")
    handle.press("Home")
    expect(number).to_have_value("1")
    expect(text).to_contain_text(" upon a time, a fox had a kite.")
    handle.press("End")
    expect(number).to_have_value("9")
    expect(text).to_contain_text("Once upon a time, a fox had a ")
    before = status.inner_text()
    write(view, "hide word", "3")
    expect(handle).to_have_attribute("aria-valuenow", "3.0")
    expect(status).not_to_have_text(before, use_inner_text=True)


def test_revealing_moves_the_masked_bars_alone(explorer):
    handle, status = explorer.get_by_role("slider"), explorer.get_by_role("status")
    handle.press("Home")
    expect(status).to_contain_text("0 of 11 words")
    causal, masked = bars(explorer)
    for n in range(1, 5):
        handle.press("ArrowRight")
        expect(status).to_contain_text(f"{n} of 11 words")
    handle.press("End")
    expect(status).to_contain_text("11 of 11 words")
    expect(box(explorer, "revealed")).to_have_value("11")
    assert bars(explorer)[0] == causal
    assert bars(explorer)[1] != masked


def test_a_place_is_typed_into_the_labelled_box(explorer):
    write(explorer, "revealed", "3")
    expect(explorer.get_by_role("status")).to_contain_text("3 of 11 words")
    expect(explorer.locator(".lmm-sees").nth(1).locator("s")).to_have_count(8)
    expect(explorer.locator(".lmm-sees").nth(0).locator("s")).to_have_count(11)


def test_another_text_is_read_when_the_box_is_left(explorer):
    before, status = box(explorer, "text").input_value(), explorer.get_by_role("status")
    write(explorer, "text", "Leo took the [MASK] and hit a nail.")
    expect(status).to_contain_text("0 of 4 words")
    expect(explorer.locator("table").first).to_contain_text("hammer")
    write(explorer, "text", "no blank")
    expect(status).to_contain_text("must hold one [MASK]")
    write(explorer, "text", before)
    expect(status).to_contain_text("0 of 11 words")
