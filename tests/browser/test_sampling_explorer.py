"""`SamplingExplorer` in a real browser: its sliders lead the bars, and its text comes in a
stream.
"""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.hands import bars, box, button, expect_other_bars, write

LENGTHS = """output => {
    const look = () => output.lengths.add(output.querySelector('p > b + span')?.innerText.length)
    output.lengths = new Set()
    new MutationObserver(look).observe(output, { subtree: true, childList: true })
}"""  # of the text, each that it has while it grows


@pytest.fixture
def explorer(output):
    return output("sampling")


def test_temperature_slider_moves_by_keyboard(explorer):
    handle, status = explorer.get_by_role("slider").first, explorer.get_by_role("status")
    handle.press("Home")
    expect(status).to_contain_text("temperature 0.10")
    cold = bars(explorer)
    handle.press("End")
    expect(status).to_contain_text("temperature 2.00")
    expect(box(explorer, "temperature")).to_have_value("2")
    expect_other_bars(explorer, cold)


def test_slider_moves_by_mouse(explorer):
    status = explorer.get_by_role("status")
    explorer.get_by_role("slider").first.press("Home")
    expect(status).to_contain_text("temperature 0.10")
    track = explorer.locator(".noUi-target").first
    track.scroll_into_view_if_needed()
    place = track.bounding_box()
    explorer.page.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    expect(status).not_to_contain_text("temperature 0.10")


def test_top_k_is_typed_into_its_labelled_box(explorer):
    write(explorer, "top-k", "400")
    expect(explorer.get_by_role("status")).to_contain_text("top-k 400: 400 of")
    write(explorer, "temperature", "1.9")  # after what the slider has answered to the box
    expect(explorer.get_by_role("status")).to_contain_text("temperature 1.90, top-k 400")
    write(explorer, "top-k", "3")
    expect(explorer.get_by_role("status")).to_contain_text("top-k 3: 3 of")
    expect(explorer.locator("table")).to_contain_text("cut")


def test_step_and_write_add_text(explorer):
    new = explorer.locator("p > b + span").first
    button(explorer, "Start over").click()
    expect(new).to_have_text("")
    before = bars(explorer)
    button(explorer, "Step").click()
    expect(new).to_have_text(re.compile(r"\S"))
    expect_other_bars(explorer, before)

    button(explorer, "Start over").click()
    expect(new).to_have_text("")
    explorer.evaluate(LENGTHS)
    button(explorer, "Write").click()
    expect(new).to_have_text(re.compile(r"\S"))
    expect(button(explorer, "Write")).to_be_visible()  # itself again: the text is complete
    assert explorer.evaluate("output => output.lengths.size") > 3, (
        "the text came in one piece, not in a stream"
    )
