"""Bars and texts as HTML: lengths on one axis, blocks for pages without styles, cards."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers._plumbing.words import repeated
from helpers.charts import text_cards
from helpers.explorers import Bar, bars_html
from helpers.explorers._bars import AXIS_ENDS, EIGHTHS, axis_end, blocks
from helpers.generation import generate_text
from helpers.models import load_causal_lm
from tests.support.page import Page, rows

SHARES = st.floats(0, 1, allow_nan=False)


def length(text):
    """How many block characters long a bar is."""
    return sum(1 if sign == "█" else EIGHTHS.index(sign) / 8 for sign in text)


@given(st.lists(SHARES, min_size=1, max_size=12))
def test_the_axis_ends_at_the_first_round_number_above_all_bars(shares):
    end = axis_end([Bar("x", share) for share in shares])
    longest = 100 * max(shares)
    assert longest <= end + 1e-2
    below = [other for other in AXIS_ENDS if other < end]
    assert not below or below[-1] < longest


@given(SHARES, SHARES)
def test_bars_and_blocks_have_the_lengths_that_the_axis_says(probability, truth):
    page = bars_html([Bar("x", probability, truth=truth)])
    (row,) = rows(page)
    for tag, share in (("i", probability), ("b", truth)):
        assert row["widths"][tag] == pytest.approx(share, abs=1e-4)
        assert length(row["blocks"].get(tag, "")) / 20 * Page(page).end == pytest.approx(
            share, abs=0.0065
        )


def test_the_longest_bar_fills_its_axis():
    (row, _) = rows(bars_html([Bar("x", 0.137), Bar("y", 0.05)]))
    assert row["widths"]["i"] == pytest.approx(0.137, abs=1e-4)
    assert "15 %" in bars_html([Bar("x", 0.137)])


def test_a_table_has_no_style_sheet_and_no_style_that_a_page_drops():
    page = bars_html([Bar("x", 0.5, False, 0.25)], "a note")
    assert not re.search(r"<style|class=|var\(|gradient", page)


def test_blocks_run_from_nothing_to_twenty():
    assert (blocks(0), blocks(1)) == ("", "█" * 20)
    lengths = [length(blocks(n / 160)) for n in range(161)]
    assert lengths == [n / 8 for n in range(161)]


# ---- texts


def test_repeated_words_are_those_of_runs_seen_before():
    text = "the cat sat on the mat and the cat sat on the hat"
    assert repeated(text) == [False] * 7 + [True] * 5 + [False]
    assert repeated("a b c") == [False] * 3
    assert repeated("") == []


@given(st.lists(st.sampled_from("ab"), max_size=30))
def test_repeated_words_agree_with_a_search_one_by_one(words):
    expected = [False] * len(words)
    for n in range(len(words) - 3):
        if any(words[m : m + 4] == words[n : n + 4] for m in range(n)):
            expected[n : n + 4] = [True] * 4
    assert repeated(" ".join(words)) == expected


def test_a_card_tells_the_prompt_from_what_was_added():
    page = text_cards("Two < three", {"seed 1": "Two < three\n  and on"}).html
    assert "<b>Two &lt; three</b><span><br>&nbsp; and on</span>" in page


def test_a_card_underlines_what_repeats_and_says_its_share():
    picture = text_cards("a b", {"x": "a b c d a b c d"}, repeats=True)
    assert re.findall(r"<u [^>]*>(\w)</u>", picture.html) == list("abcd")
    assert "x · 50% of the words repeated: a b c d a b c d" in picture.text


def test_only_a_text_that_its_length_cut_off_is_called_cut():
    lm = load_causal_lm("pocket-gpt2")
    cut, whole = (generate_text(lm, "What is a", n, seed=0) for n in (5, 60))
    assert (cut.ended, whole.ended) == (False, True)
    picture = text_cards("What is a", {"5": cut, "60": whole, "plain": "What is a plan"})
    assert picture.text.count("(cut here)") == picture.html.count("(cut here)") == 1
    assert f"5: {cut} … (cut here)" in picture.text


def test_a_text_that_does_not_begin_with_the_prompt_is_refused():
    with pytest.raises(ValueError, match="'seed 1' does not begin with the prompt 'The cat'"):
        text_cards("The cat", {"seed 1": "A dog"})


def test_widths_are_finite_for_every_probability():
    page = bars_html([Bar("x", 1 + 1e-9), Bar("y", 0.0)])
    widths = [float(width) for width in re.findall(r"width:([\d.]+)%;height", page)]
    assert widths == [100.0, 0.0]
    assert all(map(math.isfinite, widths))
