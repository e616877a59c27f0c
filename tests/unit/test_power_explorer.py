"""PowerExplorer: its bars are powers, and boxes and sliders move each other."""

import re

import pytest

from helpers.explorers import PowerExplorer


@pytest.mark.parametrize(("percent", "length"), [(80, 1), (80, 10), (0, 3), (100, 20), (37, 2)])
def test_the_bars_are_powers(percent, length):
    explorer = PowerExplorer()
    explorer.percent.value, explorer.length.value = percent, length
    assert f"At {percent} % a token" in explorer.status.value
    whole = 100 * (percent / 100) ** length
    assert f", {whole:.1f} % of the answers of {length} token" in explorer.status.value
    widths = [float(w) for w in re.findall(r"width:([\d.]+)%;height", explorer.view.value)]
    expected = [100 * (p / 100) ** length for p in (percent, *range(10, 101, 10))]
    assert widths == pytest.approx(expected, abs=0.006)


def test_box_and_slider_move_each_other():
    explorer = PowerExplorer()
    (_, p_slider), (l_box, l_slider) = (one.children for one in explorer.children[0].children)
    p_slider.value, l_box.value = 55, 7
    assert (explorer.percent.value, l_slider.value) == (55, 7)
    assert "At 55 % a token" in explorer.status.value


def test_the_still_shows_three_lengths(words_shown):
    words = words_shown(PowerExplorer())
    assert [n in words for n in ("of 1 token ", "of 3 tokens", "of 6 tokens")] == [True] * 3
