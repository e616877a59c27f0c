"""Hands for a page: every control of a widget is found, moved by keyboard or by mouse, and watched
for what changes.

A *widget* here is a locator of one output that holds ipywidgets. What is *shown* in it is its text
and its text areas; what is *said* is the text of its live regions, which screen readers announce.
Nothing in it knows one notebook from another, so that a new one is covered without a new test; a
control of an unknown kind is an error.
"""

import re
from typing import NamedTuple

from playwright.sync_api import ElementHandle, Locator, expect

WIDGETS = ".jp-OutputArea-output:has(> .jupyter-widgets)"
PATIENCE = 120  # seconds
CONTROLS = "input, textarea, select, button, [role=slider]"
TYPED = {
    "prompt": "The cat sat",
    "text": "Leo took the [MASK] and hit a nail.",
    "targets": "dog, cat",
    "your guess": "62.5",
}
READY = {
    "Start over": "Step",
    "Four seeds": "Start over",
}  # buttons that change nothing until another was pressed
REFUSED = "is not available"

SAID = """widget => [...widget.querySelectorAll('[aria-live]')]
    .map(live => live.innerText).join('\\n')"""
SHOWN = """widget => [widget.innerText, ...[...widget.querySelectorAll('textarea')]
    .filter(area => area.checkVisibility()).map(area => area.value)].join('\\n')"""
LOOK = f"""widget => ({{
    shown: ({SHOWN})(widget), text: widget.innerText, said: ({SAID})(widget)
}})"""
# JupyterLab keeps a "future" for each message of a widget until the kernel is done with it.
IS_BUSY = """widget => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel
    const asked = it => it.msg.header.msg_type === 'comm_msg'
    const stops = it => /\\bStop$/.test(it.innerText)
    return kernel.status !== 'idle' || [...kernel._futures.values()].some(asked)
        || [...widget.querySelectorAll('button')].some(stops)
}"""
# Returns what is seen once the kernel has answered, no text is being written, and `expected` holds
# of what was seen `before` and `now`; or when the time is over.
WATCH = f"""async (widget, [before, expected, seconds]) => {{
    const end = performance.now() + 1000 * seconds
    let now, last, since
    do {{
        await new Promise(done => setTimeout(done, 20))
        now = ({LOOK})(widget)
        if (now.shown !== last || ({IS_BUSY})(widget))
            [last, since] = [now.shown, performance.now()]
    }} while (performance.now() < end && !(performance.now() - since > 50 && eval(expected)))
    return now
}}"""
# each control that can be seen and moved: its place among all, its kind and its name
KINDS = """controls => controls.map((control, place) => {
    if (!control.checkVisibility({ visibilityProperty: true }) || control.disabled) return null
    const name = (control.labels?.[0] ?? control).innerText.trim()
    const within = kind => control.closest('.widget-' + kind)
    const kind = control.role === 'slider' ? 'slider'
        : control.tagName === 'SELECT' ? 'list'
        : within('toggle-buttons') || control.type === 'radio' ? 'choice'
        : within('toggle-button') ? 'toggle'
        : control.tagName === 'BUTTON' ? 'button'
        : control.tagName === 'TEXTAREA' ? 'text'
        : control.type
    return [place, kind, name]
}).filter(Boolean)"""
IN_ITS_BOX = "slider => slider.closest('.widget-hbox')?.querySelector('input')?.value"
IS_CHOSEN = "it => it.checked || it.classList.contains('mod-active')"


class Control(NamedTuple):
    widget: Locator
    element: ElementHandle  # a locator would be looked up anew, in the whole page, at every use
    kind: str
    name: str


def all_widgets(notebook):
    """All outputs with controls in them."""
    found = notebook.locator(WIDGETS).filter(has=notebook.page.locator(CONTROLS))
    return [found.nth(i) for i in range(found.count())]


def controls(widget):
    """The controls that can be seen and moved; first the toggles, which bring more to see."""
    every = widget.locator(CONTROLS)
    elements = every.element_handles()
    found = [
        Control(widget, elements[place], kind, name)
        for place, kind, name in every.evaluate_all(KINDS)
    ]
    return sorted(found, key=lambda control: control.kind != "toggle")


def box(widget, label):
    """The control with a label beside it."""
    return widget.get_by_label(label, exact=True)


def button(widget, label):
    """Found by the end of its name, since the icon in front counts as a character."""
    return widget.get_by_role("button", name=re.compile(rf"\b{label}$"))


def write(widget, label, value):
    """Type something in the place of what stands in a box, and leave it."""
    box(widget, label).fill(value)
    box(widget, label).press("Tab")


def bars(widget):
    """The numbers at the first bars, as text."""
    return widget.locator("table").first.inner_text()


def expect_other_bars(widget, before):
    same = re.compile(rf"^{re.escape(before)}$")
    expect(widget.locator("table").first).not_to_have_text(same, use_inner_text=True)


def move(control, hand):
    """Move a control with one hand, "keyboard" or "mouse", and see that the page shows, and says,
    something else.
    """
    widget, element, kind, name = control
    what, way = f"{kind} {name!r} by {hand}", globals()[f"_{kind}_by_{hand}"]
    seen = widget.element_handle()
    if name in READY:
        way(button(widget, READY[name]))
        wait_until_still(seen)
    if kind == "choice" and element.evaluate(IS_CHOSEN):
        return
    before, in_its_box = seen.evaluate(LOOK), kind == "slider" and element.evaluate(IN_ITS_BOX)
    if name.startswith("Download") and REFUSED in before["shown"]:  # it will say the same again
        way(element)
        wait_until_still(seen)
    elif way(element) is None:
        wait_for_another(seen, before, what, to_hear=kind != "toggle")
    if kind == "slider":
        assert element.evaluate(IN_ITS_BOX) != in_its_box, f"{what}: its number box stands still"


def wait_for_another(widget, before, what, to_hear=True):
    """Wait until the page shows something else than before, and what has changed in the text is
    said, too.
    """
    expected = "now.shown !== before.shown"
    if to_hear:
        expected += " && (now.text === before.text || now.said !== before.said)"
    now = widget.evaluate(WATCH, [before, expected, PATIENCE])
    assert now["shown"] != before["shown"], f"{what}: nothing changed in\n{before['shown']}"
    if to_hear and now["text"] != before["text"]:
        assert now["said"] != before["said"], f"{what}: no change to hear in\n{before['said']}"
    return now


def wait_until_still(widget):
    """Wait until the kernel has answered all that the page told it, and a text has its end."""
    widget.evaluate(WATCH, [None, "true", PATIENCE])
    assert not widget.evaluate(IS_BUSY), "the kernel has not answered, or a text has no end"


def _page(element):
    return element.owner_frame().page


def _press(key):
    return lambda element: element.press(key)


def _click(element):
    element.click()


_button_by_keyboard, _button_by_mouse = _press("Enter"), _click
_toggle_by_keyboard, _toggle_by_mouse = _press("Space"), _click
_choice_by_keyboard, _choice_by_mouse = _press("Space"), _click
_checkbox_by_keyboard, _checkbox_by_mouse = _press("Space"), _click


def _slider_by_keyboard(handle):
    lowest = handle.evaluate("it => it.ariaValueNow === it.ariaValueMin")
    handle.press("End" if lowest else "Home")


def _slider_by_mouse(handle):
    handle.scroll_into_view_if_needed()
    now, low, high = (
        float(handle.get_attribute(f"aria-value{which}")) for which in ("now", "min", "max")
    )
    track = handle.query_selector(
        "xpath=ancestor::*[contains(@class, 'noUi-target')]"
    ).bounding_box()
    share = 0.25 if now > (low + high) / 2 else 0.75
    _page(handle).mouse.click(track["x"] + share * track["width"], track["y"] + track["height"] / 2)


def _number_by_keyboard(box):
    box.press("ArrowDown" if _is_at_most(box) else "ArrowUp")
    box.press("Tab")


def _number_by_mouse(box):
    """On one of the two little arrows that a number box shows under the mouse."""
    box.hover()
    down, place = _is_at_most(box), box.bounding_box()
    _page(box).mouse.click(
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
    name = box.evaluate("it => it.labels[0].innerText.trim()")
    box.press("Control+A")
    _page(box).keyboard.insert_text(TYPED.get(name, f"{box.input_value()} again"))
    box.press("Tab")


def _text_by_mouse(box):
    """A mouse can only bring the cursor there: "no change" is the answer."""
    box.click()
    assert box.evaluate("it => it === document.activeElement")
    return "no change"
