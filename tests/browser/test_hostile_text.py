"""Hostile text in a real browser: typed by the reader or written by the model, it is shown and
never runs.
"""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.gallery import HOSTILE
from tests.browser.hands import box, button, wait_until_still, write

TYPED = (
    '<img src=x onerror="window.hacked=1"></script>\x1b[31mred **bold** # heading ' + "long" * 20
)


@pytest.fixture
def writer(output):
    """An explorer whose model writes the hostile text, whatever it reads."""
    return output("hostile")


@pytest.fixture
def typed(output):
    """An explorer with the text that it opens on, and short texts."""
    found = output("sampling")
    opening, tokens = box(found, "prompt").input_value(), box(found, "tokens").input_value()
    box(found, "tokens").fill("5")
    yield found
    write(found, "prompt", opening)
    box(found, "tokens").fill(tokens)
    wait_until_still(found)


def assert_nothing_ran(explorer):
    page = explorer.page
    assert page.evaluate("window.hacked") is None
    for element in ("img", "script", "svg:not(button svg)", "a", "h1", ".MathJax"):
        expect(explorer.locator(element)).to_have_count(0)
    assert explorer.evaluate("box => box.scrollWidth <= box.clientWidth + 1"), (
        "wider than its place"
    )


def test_hostile_text_that_the_model_writes(writer):
    expect(writer.get_by_role("status")).to_contain_text("top-k 1")
    button(writer, "Write").click()
    seen = HOSTILE.replace("\x1b", "⟨U+001B⟩")
    new = writer.locator("p > b + span").first
    expect(new).to_have_text(seen, use_inner_text=False, timeout=120_000)
    assert_nothing_ran(writer)


def test_hostile_text_that_the_reader_types(typed):
    write(typed, "prompt", TYPED)
    expect(typed.get_by_role("status")).to_contain_text("has never seen: img")
    button(typed, "Write").click()
    expect(typed.locator("p > b + span").first).to_have_text(re.compile(r"\S"))
    button(typed, "Four seeds").click()
    expect(typed.locator("p > b + span")).to_have_count(5)
    expect(typed).to_contain_text('<img src=x onerror="window.hacked=1"></script>')
    button(typed, "Show as code").click()
    assert_nothing_ran(typed)
    button(typed, "Show as code").click()
    write(typed, "prompt", "Once upon a time")
    expect(typed.get_by_role("status")).not_to_contain_text("has never seen")


def test_a_fast_drag_ends_where_the_pointer_ends_and_only_there(writer, typed):
    before = writer.get_by_role("status").inner_text()
    handle, page = typed.get_by_role("slider").first, typed.page
    handle.scroll_into_view_if_needed()
    place, track = handle.bounding_box(), typed.locator(".noUi-target").first.bounding_box()
    y = place["y"] + place["height"] / 2
    page.mouse.move(place["x"] + place["width"] / 2, y)
    page.mouse.down()
    for i in range(60):
        page.mouse.move(track["x"] + track["width"] * (i * 37 % 100) / 100, y)
    page.mouse.move(track["x"] + track["width"] * 2, y)
    page.mouse.up()
    expect(box(typed, "temperature")).to_have_value("2")
    expect(typed.get_by_role("status")).to_contain_text("temperature 2.00")
    wait_until_still(typed)  # nothing late comes back from the kernel
    expect(box(typed, "temperature")).to_have_value("2")
    expect(typed.get_by_role("status")).to_contain_text("temperature 2.00")
    assert writer.get_by_role("status").inner_text() == before
