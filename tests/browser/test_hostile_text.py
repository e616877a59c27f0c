"""Hostile text in a real browser: typed by the reader or written by the model, it is shown and
never runs.

The page holds two explorers. The first has a model that writes the hostile text, whatever it reads;
into the second it is typed.
"""

import re

import nbformat
import pytest
from playwright.sync_api import expect

HOSTILE = (
    '<img src=x onerror="window.hacked=1"></script><script>window.hacked=2</script><svg onload="window.hacked=3">'
    "\x1b[31mred\x1b[0m **bold** # heading [link](javascript:alert(1)) `code` $x^2$ &lt;b&gt; "
    + "long"
    * 40
)
TYPED = (
    '<img src=x onerror="window.hacked=1"></script>\x1b[31mred **bold** # heading ' + "long" * 20
)
CELLS = [
    f"hostile = {HOSTILE!r}",
    """
import contextlib, io

from helpers.explorers import SamplingExplorer
from helpers.models import load_causal_lm

with contextlib.redirect_stderr(io.StringIO()):  # progress bars of what is built for the test
    from tests.support.scripted import scripted
    from tests.support.tiny_models import tiny

    lm, tokens = scripted(tiny("gpt2"), hostile + " the cat")
    lm.model.config.max_position_embeddings = 1000
    n = len(lm.tokenizer(hostile).input_ids)
""",
    "one = SamplingExplorer(lm, 'a', top_k=1, max_new_tokens=n)\none",
    "two = SamplingExplorer(load_causal_lm('pocket-gpt2'), 'Once upon a time', max_new_tokens=5)\ntwo",
]


@pytest.fixture(scope="module")
def explorers(lab, open_notebook):
    kernel = {
        "kernelspec": {"name": "python3", "display_name": "Python 3"}
    }  # or the page would ask for one
    notebook = nbformat.v4.new_notebook(
        cells=list(map(nbformat.v4.new_code_cell, CELLS)), metadata=kernel
    )
    nbformat.write(notebook, lab.work / "notebooks" / "hostile.ipynb")
    page, shown, _ = open_notebook("hostile.ipynb")
    boxes = shown.locator(".widget-vbox").filter(has=page.locator("[role=status]"))
    boxes = boxes.filter(has=page.locator("textarea"))
    expect(boxes).to_have_count(2)
    return boxes.nth(0), boxes.nth(1)


def button(explorer, label):
    return explorer.get_by_role("button", name=re.compile(rf"\b{label}$"))


def box(explorer, label):
    return explorer.get_by_label(label, exact=True)


def assert_nothing_ran(explorer):
    page = explorer.page
    assert page.evaluate("window.hacked") is None
    for element in ("img", "script", "svg:not(button svg)", "a", "h1", ".MathJax"):
        expect(explorer.locator(element)).to_have_count(0)
    assert explorer.evaluate("box => box.scrollWidth <= box.clientWidth + 1"), (
        "wider than its place"
    )


def test_hostile_text_that_the_model_writes(explorers):
    writer, _ = explorers
    expect(writer.locator("[role=status]")).to_contain_text("top-k 1")
    button(writer, "Write").click()
    new = writer.locator("mark").first
    seen = HOSTILE.replace("\x1b", "⟨U+001B⟩")
    expect(new).to_have_text(seen, use_inner_text=False, timeout=120_000)
    assert_nothing_ran(writer)


def test_hostile_text_that_the_reader_types(explorers):
    _, typed = explorers
    box(typed, "prompt").fill(TYPED)
    expect(typed.locator("[role=status]")).to_contain_text("has never seen: img")
    button(typed, "Write").click()
    expect(typed.locator("mark").first).to_have_text(re.compile(r"\S"))
    button(typed, "Four seeds").click()
    expect(typed.locator("mark")).to_have_count(5)
    expect(typed).to_contain_text('<img src=x onerror="window.hacked=1"></script>')
    button(typed, "Show as code").click()
    assert_nothing_ran(typed)
    box(typed, "prompt").fill("Once upon a time")
    expect(typed.locator("[role=status]")).not_to_contain_text("has never seen")


def test_a_fast_drag_ends_where_the_pointer_ends_and_only_there(explorers):
    still, dragged = explorers
    before = still.locator("[role=status]").inner_text()
    handle, page = dragged.locator(".widget-slider [role=slider]").first, dragged.page
    handle.scroll_into_view_if_needed()
    place, track = (
        handle.bounding_box(),
        dragged.locator(".widget-slider .noUi-target").first.bounding_box(),
    )
    y = place["y"] + place["height"] / 2
    page.mouse.move(place["x"] + place["width"] / 2, y)
    page.mouse.down()
    for i in range(200):
        page.mouse.move(track["x"] + track["width"] * (i * 37 % 100) / 100, y)
    page.mouse.move(track["x"] + track["width"] * 2, y)
    page.mouse.up()
    expect(box(dragged, "temperature")).to_have_value("2")
    expect(dragged.locator("[role=status]")).to_contain_text("temperature 2.00")
    page.wait_for_timeout(500)  # nothing late comes back from the kernel
    expect(box(dragged, "temperature")).to_have_value("2")
    expect(dragged.locator("[role=status]")).to_contain_text("temperature 2.00")
    assert still.locator("[role=status]").inner_text() == before
