"""What the notebooks store, as everybody sees it first: just opened in JupyterLab, not trusted, not
yet run.

JupyterLab then drops style sheets from stored outputs, and much of inline styles. What must still
be right is measured in pixels, on one page with every cell that stores bars.
"""

import nbformat
import pytest
from playwright.sync_api import expect

from tests.tools.minutes import notebooks

OUTPUT = ".jp-RenderedHTMLCommon.jp-OutputArea-output"
BARS = """page => [...page.querySelectorAll('tr')].flatMap(row => {
    const bars = row.querySelectorAll('td > div > i, td > div > b'), cells = [...row.cells]
    const end = row.closest('table').querySelector('thead td')?.innerText.match(/(\\d+) %/)?.[1]
    return [...bars].map((bar, n) => ({
        share: 100 * bar.getBoundingClientRect().width / bar.parentNode.clientWidth,
        pixel: 100 / bar.parentNode.clientWidth,
        height: bar.getBoundingClientRect().height,
        number: cells[2 + n].innerText, end: Number(end),
        paint: getComputedStyle(bar).backgroundColor, edge: getComputedStyle(bar).borderStyle,
        blocks: bar.nextElementSibling.checkVisibility(),
    }))
})"""
TRUSTED = """() => {
    const cells = window.jupyterapp.shell.currentWidget.content.model.cells
    return [...cells].filter(cell => cell.outputs?.length).map(cell => cell.trusted)
}"""
THICK = "height:11px"  # what the longer bar of a row is drawn with
CLEAR = "rgba(0, 0, 0, 0)"


@pytest.fixture
def untrusted(lab, browser):
    """A page with all stored bars, opened without running it."""
    stored = nbformat.v4.new_notebook()
    for path in notebooks():
        for cell in nbformat.read(path, as_version=4).cells:
            if THICK in str(cell.get("outputs")):
                cell.id = f"cell-{len(stored.cells)}"  # each page has its own `explorer`
                stored.cells.append(cell)
    nbformat.write(stored, lab.work / "notebooks" / "stored.ipynb")
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{lab.base}/doc/tree/notebooks/stored.ipynb?reset&token={lab.token}")
    page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=120_000)
    expect(page.locator(OUTPUT)).to_have_count(len(stored.cells), timeout=120_000)
    yield page
    page.close()


def test_bars_have_their_lengths_before_anything_ran(untrusted):
    assert set(untrusted.evaluate(TRUSTED)) == {False}
    drawn = untrusted.locator(".jp-Notebook").evaluate(BARS)
    assert len(drawn) > 20
    for bar in drawn:
        number = float(bar["number"].removeprefix("cut ").replace("<0.1", "0.05"))
        assert abs(bar["share"] - 100 * number / bar["end"]) <= max(0.6, 2 * bar["pixel"]), bar
        assert bar["height"] >= 4, bar
        assert bar["paint"] != CLEAR or "dashed" in bar["edge"], bar
        assert not bar["blocks"], "block characters are for pages without styles"
