"""*Guess like a model* in a real browser, played to its end by keyboard and once more by mouse."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.hands import button


def press(game, label, hand):
    button(game, label).press("Enter") if hand == "keyboard" else button(game, label).click()


@pytest.mark.parametrize("hand", ["keyboard", "mouse"])
def test_a_game_to_its_end(output, hand):
    game = output("game")
    boxes, status = game.locator("input[type=number]"), game.get_by_role("status")
    rounds = int(re.search(r"Text 1 of (\d+)", game.inner_text())[1])
    options = boxes.count()
    for n in range(1, rounds + 1):
        expect(game).to_contain_text(f"Text {n} of {rounds}")
        expect(boxes.first).to_have_value("1")
        boxes.first.click() if hand == "mouse" else boxes.first.focus()
        boxes.first.press("Control+A")
        game.page.keyboard.type("9")
        boxes.first.press("Tab")
        first = boxes.first.evaluate("box => box.labels[0].innerText").strip()
        press(game, "Bet", hand)
        expect(status).to_contain_text("It was: ")
        right = status.inner_text().startswith(f"It was: {first}.")
        share = round(100 * (9 if right else 1) / (8 + options))
        expect(status).to_contain_text(f"You had {share} % on it.")
        expect(boxes.first).to_be_disabled()
        if n < rounds:
            press(game, "Next text", hand)
    expect(game.locator("table")).to_contain_text("equal words")
    press(game, "Play again", hand)
    expect(game).to_contain_text(f"Text 1 of {rounds}")
    expect(status).to_have_count(0)
