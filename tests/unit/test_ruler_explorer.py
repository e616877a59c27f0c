"""RulerExplorer: the switch changes the ruler and nothing else, and all rulers read the same stored
outputs.
"""

import html
import itertools
import re

import pandas as pd
import pytest

from helpers.explorers import RulerExplorer, ruler_picture, rulers
from helpers.lab import tables
from helpers.lab.abilities import RULERS, answer, score, sums
from helpers.models import load_causal_lm
from tests.tools.make_data import sweep

SIZES = (100, 1000, 10_000)


@pytest.fixture
def rows():
    """Two abilities, three sizes, four rulers, in no order; every mean tells where it comes
    from.
    """
    made = []
    for (a, ability), (s, size), (r, ruler) in itertools.product(
        enumerate(("sums", "echo")), reversed(list(enumerate(SIZES))), enumerate(RULERS)
    ):
        mean = 0.01 * (16 * a + 4 * s + r)
        made.append(
            {
                "ability": ability,
                "ruler": ruler,
                "mean": mean,
                "standard_error": 0.02,
                "n_body_params": size,
            }
        )
    return pd.DataFrame(made)


@pytest.fixture
def explorer(rows):
    return RulerExplorer(rows)


def said(explorer):
    return html.unescape(re.sub(r"<[^>]+>", "", explorer.status.value))


# ---- the switch


@pytest.mark.parametrize("ruler", RULERS)
def test_the_switch_shows_the_picture_of_its_ruler(explorer, rows, ruler):
    explorer.ruler.value = ruler
    r = list(RULERS).index(ruler)
    assert alt(explorer.view.value) == ruler_picture(rows, ruler).text
    assert f"sums: from {0.01 * r:.3g} at 100 to {0.01 * (8 + r):.3g} at 1e+04" in alt(
        explorer.view.value
    )
    assert said(explorer).startswith(
        f"{ruler}: sums from {0.01 * r:.2f} to {0.01 * (8 + r):.2f}, echo from"
    )
    assert "standard errors up to 0.02" in said(explorer)


def alt(view):
    return html.unescape(re.search(r'alt="([^"]+)"', view)[1])


def test_the_switch_asks_no_model_and_draws_nothing_anew(explorer, monkeypatch):
    seen = {}
    monkeypatch.setattr(rulers, "line_chart", lambda *_, **__: pytest.fail("drawn again"))
    for ruler in (*RULERS, *RULERS):
        explorer.ruler.value = ruler
        assert seen.setdefault(ruler, explorer.view.value) == explorer.view.value
    assert len(set(seen.values())) == len(RULERS)


def test_up_is_better_under_every_ruler(rows, monkeypatch):
    limits = {}
    monkeypatch.setattr(rulers, "line_chart", lambda *_, y_limits, **__: y_limits)
    for ruler in RULERS:
        limits[ruler] = ruler_picture(rows, ruler)
    assert {ruler for ruler, (low, high) in limits.items() if low < high} == {
        "exact match",
        "token probability",
    }
    rows["mean"] *= 10
    for ruler in RULERS:
        low, high = sorted(ruler_picture(rows, ruler))
        means = rows[rows.ruler == ruler]["mean"]
        assert low < means.min() < means.max() < high


def test_another_axis(rows):
    rows = rows.rename(columns={"n_body_params": "work"})
    assert "against operations" in ruler_picture(rows, "exact match", "work", "operations").text
    assert "sums from 0.00" in said(RulerExplorer(rows, "work", "operations"))


def test_what_cannot_be_shown_is_refused(rows):
    with pytest.raises(
        ValueError, match="one of exact match, edit distance, token probability, Brier score"
    ):
        ruler_picture(rows, "length")
    with pytest.raises(ValueError, match="nothing to draw"):
        RulerExplorer(rows[:0])


# ---- for everybody


def test_keyboard_and_screen_readers_are_served(explorer):
    assert (
        type(explorer.ruler).__name__ == "ToggleButtons"
    )  # buttons: Tab leads there, the space bar presses one
    assert explorer.ruler.options == tuple(RULERS)
    assert explorer.ruler.description == "ruler"
    assert 'role="status" aria-live="polite"' in explorer.status.value


def test_it_displays_a_widget_with_words_for_pages_without_a_kernel(explorer, words_shown):
    assert "A switch between four rulers" in words_shown(explorer)


# ---- the same stored outputs


def test_every_ruler_measures_the_stored_answers_of_one_asking(monkeypatch):
    """In the sweep, a model is asked once for each ability, and every ruler gets the answers of
    that asking.
    """
    askings, measured = [], []
    monkeypatch.setattr(
        sweep, "ITEMS", {"sums": lambda: sums(1, 5), "more sums": lambda: sums(2, 5)}
    )
    monkeypatch.setattr(sweep, "EXAM", {"causal": (5, 1.0)})
    monkeypatch.setattr(
        sweep, "answer", lambda lm, items: askings.append(answer(lm, items)) or askings[-1]
    )
    monkeypatch.setattr(
        sweep, "score", lambda given, ruler: measured.append((given, ruler)) or score(given, ruler)
    )
    history = [{"tokens": 1000, "seconds": 1.0}]
    point = sweep._measure(sweep.PLAN[0], load_causal_lm("pocket-gpt2", device="cpu"), history)
    assert len(askings) == 2
    for asking, group in zip(askings, (measured[:4], measured[4:]), strict=True):
        assert [ruler for _, ruler in group] == list(RULERS.values())
        assert all(given is asking for given, _ in group)
    for row in point["answers"]:
        asking = askings[["sums", "more sums"].index(row["ability"])]
        assert (row["mean"], row["standard_error"]) == tuple(score(asking, RULERS[row["ruler"]]))


def test_the_shipped_rows_agree_as_only_rulers_of_the_same_outputs_do():
    """Answers of one token leave no freedom: edit distance is what exact match lacks. Longer ones
    leave a little.
    """
    point = ["objective", "reads", "d_model", "seed", "rate_factor", "tokens", "ability"]
    means = tables.read("abilities").pivot(index=point, columns="ruler", values="mean")
    assert set(means) == set(RULERS)
    assert not means.isna().any(axis=None)
    longest = {
        "sums of 1 digit": 2,
        "sums of 2 digits": 3,
        "sums of 3 digits": 4,
        "echo of 4 words": 4,
    }
    most = [longest.get(ability, 1) for ability in means.index.get_level_values("ability")]
    wrong = 1 - means["exact match"]
    assert (wrong - 1e-4 <= means["edit distance"]).all()
    assert (means["edit distance"] <= most * wrong + 1e-4).all()
