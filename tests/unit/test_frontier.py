"""The plane of settings: equal to `generate_text` and `log_prob` asked one by one, and the view."""

import base64
import io
import math
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from helpers.charts import COLOURS
from helpers.explorers import FrontierExplorer
from helpers.generation import generate_text, next_token_probabilities
from helpers.lab import pocketweb, tables
from helpers.lab.frontier import beaten_by, entropies, frontier
from helpers.models import load_causal_lm
from tests.tools.make_data import frontier as maker

PROMPT = "What is a"
SETTINGS = [(1.5, None, None), (2.0, 10, None), (0.7, None, 0.9), (2.0, 30, 0.8)]


@pytest.fixture(scope="module")
def gpt():
    return load_causal_lm("pocket-gpt2", device="cpu")


@pytest.fixture(scope="module")
def live(gpt):
    return frontier(gpt, PROMPT, SETTINGS, n_texts=6, seed=4)


@pytest.fixture(scope="module")
def stored():
    return tables.read("frontier")


@pytest.fixture
def explorer(live, stored):
    return FrontierExplorer(live, stored)


def wilson(hits, n, z=1.959964):
    """The interval of Wilson (1927), by its formula."""
    share = hits / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return middle - half, middle + half


@pytest.mark.parametrize("n", range(len(SETTINGS)))
def test_a_setting_is_measured_as_one_by_one(gpt, live, n):
    temperature, top_k, top_p = SETTINGS[n]
    knobs = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    texts = generate_text(gpt, PROMPT, **knobs, seed=4, num_return_sequences=6)
    hits = sum(pocketweb.log_prob(text) > -math.inf for text in texts)
    nats = []
    for text in texts:
        tokens = gpt.tokenizer(text[len(PROMPT) :], add_special_tokens=False).input_ids
        so_far = PROMPT
        for token in [*map(gpt.tokenizer.decode, tokens), *[""] * text.ended]:
            choices = next_token_probabilities(gpt, so_far, **knobs)
            nats.append(-sum(c.probability * math.log(c.probability) for c in choices if c[1]))
            so_far += token
        assert so_far == text
    row = live.loc[n]
    assert row.possible == hits / 6
    assert (row.low, row.high) == pytest.approx(wilson(hits, 6), abs=1e-6)
    assert row.entropy == pytest.approx(np.mean(nats), abs=1e-5)
    assert row.text == texts[0]


def test_the_cuts_have_names(live):
    assert live.cut.tolist() == ["no cut", "top-k 10", "top-p 0.9", "top-k 30 and top-p 0.8"]
    assert live.temperature.tolist() == [1.5, 2.0, 0.7, 2.0]


def test_the_error_of_the_entropy_is_that_between_texts(gpt):
    """Against 24 samples of texts, drawn anew."""
    many = [frontier(gpt, PROMPT, [(1.0, None, None)], 12, seed).loc[0] for seed in range(24)]
    spread = np.std([row.entropy for row in many], ddof=1)
    assert np.mean([row.standard_error for row in many]) == pytest.approx(spread, rel=0.35)


def test_greedy_is_drawn_from_nothing_unsure(gpt):
    text = generate_text(gpt, PROMPT, top_k=1, seed=0)
    [nats], [uncut] = entropies(gpt, PROMPT, [text], top_k=1), entropies(gpt, PROMPT, [text])
    assert nats.sum() == 0
    assert len(uncut) == len(gpt.tokenizer(text[len(PROMPT) :]).input_ids), "the end counts"


def test_texts_of_different_lengths_do_not_disturb_each_other(gpt):
    texts = generate_text(gpt, PROMPT, temperature=1.8, seed=2, num_return_sequences=5)
    together = entropies(gpt, PROMPT, texts, top_k=20)
    assert len({len(nats) for nats in together}) > 2
    for text, nats in zip(texts, together, strict=True):
        [alone] = entropies(gpt, PROMPT, [text], top_k=20)
        assert nats.tolist() == pytest.approx(alone.tolist(), abs=1e-5)


@pytest.mark.parametrize(
    ("settings", "n_texts", "said"),
    [
        ([(1.0, None, None), (0.0, None, None)], 4, "temperature"),
        ([(1.0, None, 1.5)], 4, "top_p"),
        ([(1.0, -1, None)], 4, "top_k"),
        ([(1.0, None, None)], 1, "n_texts"),
        ([(1.0, None, None)], math.nan, "n_texts"),
    ],
)
def test_what_makes_no_sense_is_refused_before_a_text_is_drawn(
    gpt, passes_of, settings, n_texts, said
):
    passes = passes_of(gpt)
    with pytest.raises((ValueError, TypeError), match=said):
        frontier(gpt, PROMPT, settings, n_texts)
    assert passes == []


def test_who_clearly_has_more_of_both():
    columns = ["low", "high", "entropy", "standard_error"]
    table = pd.DataFrame(
        [
            [0.2, 0.3, 1.0, 0.1],  # the one that is compared
            [0.4, 0.5, 1.3, 0.1],  # more of both
            [0.4, 0.5, 1.2, 0.1],  # the entropy may be the same
            [0.3, 0.5, 2.0, 0.1],  # the share may be the same
            [0.1, 0.2, 2.0, 0.1],
        ],
        columns=columns,
    )
    assert beaten_by(table, table.loc[0]).index.tolist() == [1]


# ---- the stored grid


def test_the_grid_is_whole(stored):
    assert len(stored) == len(maker.SETTINGS) == stored.groupby(["temperature", "cut"]).ngroups
    assert set(stored.n_texts) == {maker.N_TEXTS}


def test_a_row_of_the_grid_is_what_the_command_finds(stored):
    place = maker.SETTINGS.index((0.3, 3, None))
    (row,) = maker.table([maker.SETTINGS[place]]).itertuples(index=False)
    kept = stored.loc[place]
    assert row.text == kept.text
    for name in ("possible", "low", "high", "entropy", "standard_error"):
        assert getattr(row, name) == pytest.approx(kept[name], rel=1e-4), name


# ---- the view


def test_a_ring_lies_on_the_mark_that_is_picked(explorer, live):
    explorer.temperature.value, explorer.cut.value = 2.0, "top-k 10"
    spots = re.findall(
        r'title="([^"]*)" style="[^"]*left:([\d.]+)%;top:([\d.]+)%', explorer.view.value
    )
    *marks, (_, *ring) = spots
    assert [at for said, *at in marks if "Drawn here" in said and "top-k 10." in said] == [ring]
    png = re.search(r"base64,([^\"]*)", explorer.view.value)[1]
    image = imread(io.BytesIO(base64.b64decode(png)))[..., :3]
    height, width, _ = image.shape
    x, y = (float(share) / 100 for share in ring)
    colour = COLOURS[list(explorer.cut.options).index("top-k 10")]
    assert image[round(y * height), round(x * width)] == pytest.approx(to_rgb(colour), abs=0.02)


def test_each_mark_says_its_setting_and_a_text(explorer, live, stored):
    for row in [*live.itertuples(), *stored.iloc[::7].itertuples()]:
        said = f'title="temperature {row.temperature:g}, {row.cut}. '
        assert said in explorer.view.value
        assert row.text[:20] in explorer.view.value


def test_moving_a_control_shows_another_setting_and_asks_no_model(explorer, stored, gpt, passes_of):
    passes = passes_of(gpt)
    for row in stored.itertuples():
        explorer.temperature.value, explorer.cut.value = row.temperature, row.cut
        said = explorer.status.value
        assert f"temperature {row.temperature:g}, {row.cut}. " in said
        assert f"Stored: {100 * row.possible:.0f} % of {row.n_texts} texts possible" in said
        assert f"{row.entropy:.2f} nats" in said
        better = beaten_by(stored, row)
        assert ("No other stored setting clearly" in said) == better.empty
    assert passes == []


def test_the_still_names_every_setting_that_was_drawn(explorer, live):
    for row in live.itertuples():
        assert f"temperature {row.temperature:g}, {row.cut}. Drawn here: " in explorer.still.text
