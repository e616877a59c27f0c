"""A whole page in a real browser, the gallery or a notebook: it runs, all its controls are alive
and have names, it fits, and it stays at home.

By default that is tested of the gallery, and with `-m slow_browser` of every notebook. Where a page
has other tests, which expect it as it opens, those run before these.
"""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import TimeoutError, expect

from tests.browser import gallery
from tests.browser.hands import (
    CONTROLS,
    IN_ITS_BOX,
    LOOK,
    all_widgets,
    controls,
    move,
    wait_for_another,
)
from tests.support.jupyterlab import FAULTS, set_size, set_theme
from tests.support.notebook_plugin import ROOT

NOTEBOOKS = tuple(sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb")))
ALWAYS = (gallery.NAME,)
PAGES = (*ALWAYS, *NOTEBOOKS)

# the one remote picture, in the first cell
COLAB_BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
# What the game shows changes with the bet and not with the boxes: test_guessing_game.py. The model
# that writes a hostile text knows nothing else: test_hostile_text.py.
NOT_BY_THESE_HANDS = re.compile("What comes next\\?|scripted;")
HANDLE = "noUi-handle"
# Boxes, pictures, and whatever holds text of its own; what can be scrolled by itself may be wider,
# as an output is with a table of pandas.
STICKS_OUT = f"""notebook => {{
    const found = [], panel = notebook.querySelector('.jp-WindowedPanel-outer')
    const right = panel.getBoundingClientRect().left + panel.clientWidth
    const seen = it => it.matches('{CONTROLS}, img, table')
        || [...it.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())
    for (const output of notebook.querySelectorAll('.jp-OutputArea-output')) {{
        const place = output.getBoundingClientRect()
        const scrolls = output.querySelector('table.dataframe')
            && getComputedStyle(output).overflowX === 'auto'
        const wider = output.scrollWidth > output.clientWidth + 1
        if (place.right > right + 1 || wider && !scrolls)
            found.push(output.outerHTML.slice(0, 300))
        if (scrolls) continue
        for (const it of output.querySelectorAll('*')) {{
            if (!seen(it) || !it.checkVisibility()) continue
            const box = it.getBoundingClientRect()
            if (box.left < place.left - 1 || box.right > place.right + 1)
                found.push(it.outerHTML.slice(0, 300))
        }}
    }}
    return found
}}"""
TALLEST = 16_000  # pixels that a picture can have
OUTPUTS = ".jp-OutputArea-output"
TO_THE_TOP = """notebook => {
    const page = notebook.querySelector('.jp-WindowedPanel-outer');
    page.scrollTo(0, 0);
    return page.scrollHeight;
}"""


def test_it_runs_whole_without_error_or_warning(notebook):
    expect(notebook.locator(FAULTS)).to_have_count(0)


def test_every_control_has_a_name(notebook):
    """And every slider, to which ipywidgets gives none, has a number box with a name beside it."""
    for widget in all_widgets(notebook):
        every = widget.locator(CONTROLS)
        for n, control in enumerate(every.element_handles()):
            if control.get_attribute("role") == "slider":
                assert control.evaluate(IN_ITS_BOX), widget.inner_text()
            elif control.is_visible():
                expect(every.nth(n)).to_have_accessible_name(re.compile(r"\w"))


def test_no_box_of_one_line_is_stretched(notebook):
    for box in notebook.locator(f"{OUTPUTS} .widget-text").all():
        assert box.evaluate("it => it.offsetHeight") < 60, box.inner_text()


def test_every_picture_has_words(notebook):
    outputs = notebook.locator(OUTPUTS)
    for picture in outputs.locator("img").all():
        assert len(picture.get_attribute("alt") or "") > 20, picture.evaluate(
            "it => it.outerHTML.slice(0, 300)"
        )
    expect(outputs.locator("canvas, svg:not(button svg)")).to_have_count(
        0
    )  # these would need words of another kind


@pytest.mark.parametrize("theme", ["Dark", "Light"])
def test_axe_finds_nothing_serious_in_our_outputs(opened, theme):
    set_theme(opened.page, theme)
    assert serious_faults(opened) == []


def serious_faults(opened, where=OUTPUTS):
    """What axe-core calls serious or critical, but for the sliders' handles, to which ipywidgets
    gives no name.

    Of text that is scrolled away, or in a body without height, as JupyterLab's, axe measures no
    contrast.
    """
    page, context, options = opened.page, {"include": [[where]]}, {"resultTypes": ["violations"]}
    page.add_style_tag(content="html, body { height: 100% }")
    page.set_viewport_size({"width": 1280, "height": 300 + opened.notebook.evaluate(TO_THE_TOP)})
    page.wait_for_timeout(1000)  # JupyterLab draws anew what has come into view, and may scroll
    opened.notebook.evaluate(TO_THE_TOP)
    found = Axe().run(page, context=context, options=options).response["violations"]
    page.set_viewport_size({"width": 1280, "height": 900})
    return [
        (fault["id"], node["html"][:300], node["failureSummary"])
        for fault in found
        for node in fault["nodes"]
        if fault["impact"] in ("serious", "critical")
        and not (fault["id"] == "aria-input-field-name" and HANDLE in node["html"])
    ]


def test_axe_would_find_pale_text_and_a_box_without_a_name(opened):
    set_theme(opened.page, "Light")
    output = opened.notebook.locator(OUTPUTS).first
    output.evaluate(
        """it => it.insertAdjacentHTML(
            'beforeend', '<p id=pale style=color:#bbb>pale</p><input id=bare>')"""
    )
    found = {fault for fault, *_ in serious_faults(opened, f"{OUTPUTS}:has(#pale)")}
    output.evaluate(
        "it => { for (const id of ['pale', 'bare']) it.querySelector('#' + id).remove() }"
    )
    assert found == {"color-contrast", "label"}


@pytest.mark.parametrize("hand", ["keyboard", "mouse"])
def test_every_control_moves(notebook, hand):
    for widget in all_widgets(notebook):
        if not NOT_BY_THESE_HANDS.search(widget.inner_text()):
            moved = controls(widget)
            for control in moved:
                move(control, hand)
            for control in reversed([control for control in moved if control.kind == "toggle"]):
                move(control, hand)  # back again
    expect(notebook.locator(FAULTS)).to_have_count(0)


def test_every_answer_has_a_reason_of_its_own(notebook):
    """By Tab and Space. One answer of a quiz is right; of a prediction, none is called right or
    wrong.
    """
    for widget in all_widgets(notebook):
        answers, said = widget.locator("input[type=radio]"), []
        for n in range(answers.count()):
            before = widget.evaluate(LOOK)
            answers.nth(n - 1).press("Tab") if n else answers.first.focus()
            expect(answers.nth(n)).to_be_focused()
            answers.nth(n).press("Space")
            said.append(wait_for_another(widget, before, "an answer by Space")["said"])
        assert len(set(said)) == len(said), said
        verdicts = [
            sentence.split(".")[0] for sentence in said if not sentence.startswith("Your guess:")
        ]
        assert verdicts.count("Right") == bool(verdicts), said
        assert all(len(sentence) > len("Not this one. ") + 5 for sentence in said), said


@pytest.mark.parametrize("theme", ["Dark", "Light"])
@pytest.mark.parametrize("width", [400, 1280])
def test_it_fits_the_page(opened, width, theme, screenshots):
    """A view, a control, a text or a picture that sticks out would be cut off, or need scrolling.

    The picture of the whole page is for those who want to look.
    """
    page, stem = (
        opened.page,
        opened.page.url.partition("?")[0].rpartition("/")[2].rpartition("-")[0],
    )
    set_theme(page, theme)
    set_size(page, width, 900)
    try:
        expect_nothing_sticks_out(opened.notebook)
        set_size(page, width, min(TALLEST, 300 + opened.notebook.evaluate(TO_THE_TOP)))
        file = screenshots / f"{stem}-{theme.lower()}-{width}.png"
        page.screenshot(path=file, animations="disabled")
    finally:
        set_size(page, 1280, 900)


def expect_nothing_sticks_out(notebook, timeout=30_000):
    """What still sticks out once the layout has had its time."""
    fits = f"notebook => ({STICKS_OUT})(notebook).length === 0"
    try:
        notebook.page.wait_for_function(fits, arg=notebook.element_handle(), timeout=timeout)
    except TimeoutError:
        raise AssertionError(notebook.evaluate(STICKS_OUT)) from None


def test_what_sticks_out_would_be_found(notebook):
    output = notebook.locator(OUTPUTS).first
    for style in ("width: 3000px", "margin-left: -60px"):
        output.evaluate(
            "(it, style) => it.insertAdjacentHTML('beforeend', `<p id=out style='${style}'>a</p>`)",
            style,
        )
        with pytest.raises(AssertionError, match=r"id=.out"):
            expect_nothing_sticks_out(notebook, timeout=500)
        output.evaluate("it => it.querySelector('#out').remove()")
    expect_nothing_sticks_out(notebook)


def test_nothing_beyond_loopback_was_asked_for(opened):
    assert set(opened.beyond_loopback) <= {COLAB_BADGE}
