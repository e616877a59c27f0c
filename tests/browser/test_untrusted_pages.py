"""The notebooks as everybody sees them first: just opened in JupyterLab, not trusted, not yet run.

JupyterLab then drops style sheets from stored outputs, and much of inline styles. What must still
be right is measured in pixels.
"""

import pytest

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
WITH_BARS = [path.name for path in notebooks() if THICK in path.read_text(encoding="utf-8")]
CLEAR = "rgba(0, 0, 0, 0)"


@pytest.fixture(scope="module")
def opened_untrusted(lab, browser):
    """A function: open a stored notebook without running it."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})

    def open_page(name):
        page = context.new_page()
        page.goto(f"{lab.base}/doc/tree/notebooks/{name}?reset&token={lab.token}")
        page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=120_000)
        page.wait_for_selector(OUTPUT, timeout=120_000)
        return page

    yield open_page
    context.close()


@pytest.mark.parametrize("name", WITH_BARS, ids=lambda name: name[:2])
def test_bars_have_their_lengths_before_anything_ran(opened_untrusted, name):
    page = opened_untrusted(name)
    notebook = page.locator(".jp-Notebook").element_handle()
    assert set(page.evaluate(TRUSTED)) == {False}
    drawn = notebook.evaluate(BARS)
    assert drawn
    for bar in drawn:
        number = float(bar["number"].removeprefix("cut ").replace("<0.1", "0.05"))
        assert abs(bar["share"] - 100 * number / bar["end"]) <= max(0.6, 2 * bar["pixel"]), bar
        assert bar["height"] >= 4, bar
        assert bar["paint"] != CLEAR or "dashed" in bar["edge"], bar
        assert not bar["blocks"], "block characters are for pages without styles"
    page.close()
