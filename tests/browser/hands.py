"""Hands for a page: every control of a widget is found, moved by keyboard or by mouse, and watched
for what changes.

A *widget* here is a locator of one output that holds ipywidgets. What is *shown* in it is its text
and its text areas; what is *said* is the text of its live regions, which screen readers announce.
Nothing in it knows one notebook from another, so that a new one is covered without a new test; a
control of an unknown kind is an error.
"""

import re
from typing import NamedTuple

from playwright.sync_api import Locator, TimeoutError, expect

WIDGETS = ".jp-OutputArea-output:has(> .jupyter-widgets)"
CONTROLS = "input, textarea, select, button, [role=slider]"
TYPED = {
    "prompt": "The cat sat",
    "text": "Leo took the [MASK] and hit a nail.",
    "targets": "dog, cat",
}
READY = {
    "Start over": "Step",
    "Four seeds": "Start over",
}  # buttons that change nothing until another was pressed

TEXT = "widget => widget.innerText"
SAID = (
    "widget => [...widget.querySelectorAll('[aria-live]')].map(live => live.innerText).join('\\n')"
)
SHOWN = """widget => [widget.innerText, ...[...widget.querySelectorAll('textarea')]
    .filter(area => area.checkVisibility()).map(area => area.value)].join('\\n')"""
IS_ANOTHER = "([widget, before]) => (%s)(widget) !== before"
IS_STILL = f"""widget => {{
    const now = ({SHOWN})(widget), kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel
    if (now !== widget.seen || kernel.status !== 'idle') [widget.seen, widget.since] = [now, performance.now()]
    return performance.now() - widget.since > 250
}}"""
KIND = """control => {
    const name = (control.labels?.[0] ?? control).innerText.trim(), within = kind => control.closest('.widget-' + kind)
    const kind = control.role === 'slider' ? 'slider' : control.tagName === 'SELECT' ? 'list'
        : within('toggle-buttons') || control.type === 'radio' ? 'choice' : within('toggle-button') ? 'toggle'
        : control.tagName === 'BUTTON' ? 'button' : control.tagName === 'TEXTAREA' ? 'text' : control.type
    return [kind, name]
}"""
IN_ITS_BOX = "slider => slider.closest('.widget-hbox')?.querySelector('input')?.value"


class Control(NamedTuple):
    widget: Locator
    locator: Locator
    kind: str
    name: str


def all_widgets(notebook):
    """All outputs with controls in them."""
    found = notebook.locator(WIDGETS).filter(has=notebook.page.locator(CONTROLS))
    return [found.nth(i) for i in range(found.count())]


def controls(widget):
    """The controls that can be seen and moved; first the toggles, which bring more to see."""
    seen = [
        control
        for control in widget.locator(CONTROLS).all()
        if control.is_visible() and control.is_enabled()
    ]
    found = [Control(widget, control, *control.evaluate(KIND)) for control in seen]
    return sorted(found, key=lambda control: control.kind != "toggle")


def move(control, hand):
    """Move a control with one hand, "keyboard" or "mouse", and see that the page shows, and says,
    something else.
    """
    widget, locator, kind, name = control
    what, way = f"{kind} {name!r} by {hand}", globals()[f"_{kind}_by_{hand}"]
    locator.scroll_into_view_if_needed()
    if name in READY:
        way(widget.get_by_role("button", name=re.compile(rf"\b{READY[name]}$")))
        wait_until_still(widget)
    if kind == "choice" and locator.evaluate(
        "it => it.checked || it.classList.contains('mod-active')"
    ):
        return
    before = {look: widget.evaluate(look) for look in (SHOWN, TEXT, SAID)}
    in_its_box = locator.evaluate(IN_ITS_BOX)
    if way(locator) is None:
        wait_for_another(SHOWN, widget, before[SHOWN], what)
        if kind != "toggle" and widget.evaluate(TEXT) != before[TEXT]:
            wait_for_another(SAID, widget, before[SAID], f"{what}, to hear")
        wait_until_still(widget)
    if kind == "slider":
        assert locator.evaluate(IN_ITS_BOX) != in_its_box, f"{what}: its number box stands still"


def wait_for_another(look, widget, before, what):
    try:
        widget.page.wait_for_function(
            IS_ANOTHER % look, arg=[widget.element_handle(), before], timeout=30_000
        )
    except TimeoutError:
        raise AssertionError(f"{what}: nothing changed in\n{before}") from None


def wait_until_still(widget):
    """Wait until the kernel has answered and no text is being written."""
    expect(widget.get_by_role("button", name=re.compile(r"\bStop$"))).to_have_count(
        0, timeout=120_000
    )
    widget.page.wait_for_function(IS_STILL, arg=widget.element_handle())


def _press(key):
    return lambda locator: locator.press(key)


def _click(locator):
    locator.click()


_button_by_keyboard, _button_by_mouse = _press("Enter"), _click
_toggle_by_keyboard, _toggle_by_mouse = _press("Space"), _click
_choice_by_keyboard, _choice_by_mouse = _press("Space"), _click
_checkbox_by_keyboard, _checkbox_by_mouse = _press("Space"), _click


def _slider_by_keyboard(handle):
    lowest = handle.evaluate("it => it.ariaValueNow === it.ariaValueMin")
    handle.press("End" if lowest else "Home")


def _slider_by_mouse(handle):
    now, low, high = (
        float(handle.get_attribute(f"aria-value{which}")) for which in ("now", "min", "max")
    )
    track = handle.locator("xpath=ancestor::*[contains(@class, 'noUi-target')]").bounding_box()
    share = 0.25 if now > (low + high) / 2 else 0.75
    handle.page.mouse.click(track["x"] + share * track["width"], track["y"] + track["height"] / 2)


def _number_by_keyboard(box):
    box.press("ArrowDown" if _is_at_most(box) else "ArrowUp")
    box.press("Tab")


def _number_by_mouse(box):
    """On one of the two little arrows that a number box shows under the mouse."""
    down, place = _is_at_most(box), box.bounding_box()
    box.hover()
    box.page.mouse.click(
        place["x"] + place["width"] - 10, place["y"] + (0.7 if down else 0.3) * place["height"]
    )
    box.press("Tab")


def _is_at_most(box):
    return box.evaluate("it => it.max !== '' && Number(it.value) >= Number(it.max)")


def _list_by_keyboard(box):
    """The list is opened first, as JupyterLab takes the arrow keys of a closed one for its own."""
    last = box.evaluate("it => it.selectedIndex === it.length - 1")
    for key in ("Space", "ArrowUp" if last else "ArrowDown", "Enter"):
        box.press(key)


def _list_by_mouse(box):
    """The entries of an open list belong to the browser and not to the page, so the last step is
    not a click.
    """
    box.click()
    box.select_option(index=box.evaluate("it => (it.selectedIndex + 1) % it.length"))


def _text_by_keyboard(box):
    name = box.evaluate(KIND)[1]
    box.press("Control+A")
    box.page.keyboard.insert_text(TYPED.get(name, f"{box.input_value()} again"))
    box.press("Tab")


def _text_by_mouse(box):
    """A mouse can only bring the cursor there: "no change" is the answer."""
    box.click()
    expect(box).to_be_focused()
    return "no change"
