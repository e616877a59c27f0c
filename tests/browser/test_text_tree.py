"""The tree of texts in a real browser: a branch folds by keyboard and by mouse."""

import pytest
from playwright.sync_api import expect


@pytest.mark.parametrize("hand", ["keyboard", "mouse"])
def test_a_branch_folds_and_unfolds(output, hand):
    tree = output("tree")
    line, below = tree.locator("summary"), tree.get_by_text("That is all.")

    def press():
        line.press("Enter") if hand == "keyboard" else line.click(position={"x": 5, "y": 5})

    expect(below).to_be_visible()
    press()
    expect(below).to_be_hidden()
    press()
    expect(below).to_be_visible()
