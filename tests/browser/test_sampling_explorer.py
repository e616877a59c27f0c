"""Notebook 05 in a real browser: its sliders lead the bars, and its text comes in a stream."""

import re

import pytest
from playwright.sync_api import expect

NOTEBOOK = "05_generate_text_with_gpt2.ipynb"


@pytest.fixture
def explorer(notebook):
    """The first explorer of the notebook: the innermost box that holds both a status line and a
    prompt.
    """
    page = notebook.page
    boxes = notebook.locator(".widget-vbox")
    return (
        boxes.filter(has=page.locator("[role=status]")).filter(has=page.locator("textarea")).first
    )


def number_box(explorer, label):
    return explorer.get_by_label(label, exact=True)


def button(explorer, label):
    """Found by the end of its name, since the icon in front counts as a character."""
    return explorer.get_by_role("button", name=re.compile(rf"\b{label}$"))


def bars(explorer):
    """The numbers at the bars, as text."""
    return explorer.locator("table").first.inner_text()


def expect_other_bars(explorer, before):
    same = re.compile(rf"^{re.escape(before)}$")
    expect(explorer.locator("table").first).not_to_have_text(same, use_inner_text=True)


def test_temperature_slider_moves_by_keyboard(explorer):
    handle = explorer.locator(".widget-slider [role=slider]").first
    handle.press("Home")
    expect(explorer.locator("[role=status]")).to_contain_text("temperature 0.10")
    cold = bars(explorer)
    handle.press("End")
    expect(explorer.locator("[role=status]")).to_contain_text("temperature 2.00")
    expect(number_box(explorer, "temperature")).to_have_value("2")
    expect_other_bars(explorer, cold)


def test_slider_moves_by_mouse(explorer):
    status = explorer.locator("[role=status]")
    slider = explorer.locator(".widget-slider").first
    explorer.locator(".widget-slider [role=slider]").first.press("Home")
    expect(status).to_contain_text("temperature 0.10")
    track = slider.locator(".noUi-target").bounding_box()
    slider.page.mouse.click(track["x"] + track["width"] / 2, track["y"] + track["height"] / 2)
    expect(status).not_to_contain_text("temperature 0.10")


def test_top_k_is_typed_into_its_labelled_box(explorer):
    box = number_box(explorer, "top-k")
    box.fill("3")
    box.press("Enter")
    expect(explorer.locator("[role=status]")).to_contain_text("top-k 3: 3 of")
    expect(explorer.locator("table").first).to_contain_text("cut")


def test_step_and_write_add_text(explorer):
    new = explorer.locator("mark").first
    button(explorer, "Start over").click()
    expect(new).to_have_text("")
    before = bars(explorer)
    button(explorer, "Step").click()
    expect(new).to_have_text(re.compile(r"\S"))
    expect_other_bars(explorer, before)

    button(explorer, "Start over").click()
    write = button(explorer, "Write")
    write.click()
    lengths = set()
    for _ in range(200):
        lengths.add(len(new.inner_text()))
        if len(lengths) > 3:
            break
        explorer.page.wait_for_timeout(20)
    assert len(lengths) > 3, "the text came in one piece, not in a stream"
    expect(write).to_be_visible(timeout=30_000)  # the button is itself again: the text is complete
