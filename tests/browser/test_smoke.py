"""A notebook, as its readers have it, in a real browser: it opens and runs, its views are alive.

More is tested of the gallery, and of all notebooks with `-m slow_browser`: test_whole_pages.py.
"""

from tests.browser import test_whole_pages as whole
from tests.browser.hands import all_widgets, controls, move

PAGES = ALWAYS = ("05_generate_text_with_gpt2.ipynb",)

test_it_runs_whole = whole.test_it_runs_whole_without_error_or_warning
test_every_control_has_a_name = whole.test_every_control_has_a_name
test_nothing_beyond_loopback_was_asked_for = whole.test_nothing_beyond_loopback_was_asked_for


def test_the_views_are_alive(notebook):
    """One control of each: a slider where there is one."""
    widgets = all_widgets(notebook)
    assert len(widgets) > 5
    for widget in widgets:
        found = controls(widget)  # none where an answer came with the guess above it
        if found:
            move(next((it for it in found if it.kind == "slider"), found[0]), "keyboard")
