"""A page that a masked model fills: equal to `fill_mask` asked again and again, and the view."""

import itertools

import pytest
import torch

from helpers.explorers import PageFiller
from helpers.fill_mask import fill_mask
from helpers.lab import pocketweb, tables
from helpers.lab.filling import ORDERS, Page, fill_pages, possible_tokens, with_blanks
from helpers.models import load_masked_lm
from tests.support import page as on_page
from tests.tools.make_data import pages as maker

TEXT = "Mia gave the kite to Tom. Who has the kite now? Tom."


@pytest.fixture(scope="module")
def bert():
    return load_masked_lm("pocket-bert", device="cpu")


@pytest.fixture(scope="module")
def filler(bert):
    return PageFiller(bert, TEXT, seed=3)


def by_fill_mask(bert, page):
    """The rounds of a page, each from what `fill_mask` says of all its blanks."""
    generator = torch.Generator().manual_seed(page.seed)
    luck, turns = torch.rand(2, len(page.ids), generator=generator).tolist()
    blank, size, ids, rounds = bert.tokenizer.mask_token_id, len(bert.vocabulary), [*page.ids], []
    while blank in ids:
        places = [place for place, token in enumerate(ids) if token == blank]
        found = fill_mask(bert, bert.tokenizer.decode(ids[1:]), top_k=size)
        found = [found] if len(places) == 1 else found
        ranks = {
            "left to right": places,
            "surest first": [-candidates[0].probability for candidates in found],
            "random": [turns[place] for place in places],
        }[page.order]
        for _, n in sorted(zip(ranks, range(len(places)), strict=True))[: page.per_round]:
            reached = 0
            for candidate in sorted(found[n], key=lambda candidate: candidate.token_id):
                reached += candidate.probability
                if reached >= luck[places[n]]:
                    break
            ids[places[n]] = candidate.token_id
        rounds.append([*ids])
    return rounds


@pytest.mark.parametrize(
    ("order", "per_round"),
    [("left to right", 1), ("surest first", 1), ("random", 2), ("random", 4)],
)
def test_a_page_is_filled_as_by_fill_mask(bert, order, per_round):
    page = Page(with_blanks(bert, TEXT, 4, seed=3), order, per_round, seed=3)
    (rounds,) = fill_pages(bert, [page])
    assert rounds[0] == list(page.ids)
    assert rounds[1:] == by_fill_mask(bert, page)
    assert len(rounds) == 1 + 4 // per_round


def test_pages_of_one_pass_do_not_disturb_each_other(bert):
    texts = [TEXT, "The cat sat on the mat."]
    pages = [
        Page(with_blanks(bert, text, 5, seed), order, 2, seed)
        for text in texts
        for order in ORDERS
        for seed in (0, 1)
    ]
    together = fill_pages(bert, pages)
    assert together[::3] == [fill_pages(bert, [page])[0] for page in pages[::3]]
    assert len({tuple(rounds[-1]) for rounds in together}) > 2


def test_what_is_given_stays(bert):
    ids = with_blanks(bert, TEXT, 8)
    (rounds,) = fill_pages(bert, [Page(ids, "random", 1)])
    kept = [place for place, token in enumerate(ids) if token != bert.tokenizer.mask_token_id]
    assert len(kept) == len(ids) - 8
    for before, after in itertools.pairwise(rounds):
        changed = [place for place, token in enumerate(before) if after[place] != token]
        assert len(changed) == 1
        assert not set(changed) & set(kept)


def test_more_blanks_hide_the_same_and_others(bert):
    blank, n = bert.tokenizer.mask_token_id, 15
    hidden = [
        {place for place, token in enumerate(with_blanks(bert, TEXT, k, 3)) if token == blank}
        for k in range(n + 1)
    ]
    assert [len(places) for places in hidden] == list(range(n + 1))
    assert all(few < more for few, more in itertools.pairwise(hidden))
    assert hidden[n] == set(range(1, n + 1)), "neither the start nor the end"


def test_an_unknown_order_is_refused(bert):
    with pytest.raises(ValueError, match="backwards"):
        fill_pages(bert, [Page(with_blanks(bert, TEXT, 2), "backwards", 1)])


@pytest.mark.parametrize("text", [TEXT, "The cat sat on the moon.", "Mat the.", "The cat"])
def test_the_possible_beginning_is_the_longest(text):
    tokens = pocketweb.tokenize(text)
    possible = [n for n in range(len(tokens) + 1) if pocketweb.is_possible("".join(tokens[:n]))]
    assert possible_tokens(text) == (max(possible), len(tokens))


# ---- the view


def test_each_setting_and_round_shows_its_page(filler, bert):
    for hidden, order, per_round in [(8, "left to right", 1), (15, "random", 4), (3, ORDERS[1], 9)]:
        filler.hidden.value, filler.order.value = hidden, order
        filler.per_round.value = per_round
        page = Page(with_blanks(bert, TEXT, hidden, 3), order, per_round, 3)
        (rounds,) = fill_pages(bert, [page])
        assert filler.round.max == filler.round.value == len(rounds) - 1
        for number, ids in enumerate(rounds):
            filler.round.value = number
            text = "".join(bert.vocabulary[token] for token in ids[1:-1])
            shown = on_page.Page(filler.view.value).text.replace(" ✗", "")
            assert shown.lstrip() == text.replace("[MASK]", " ?").lstrip()
            left = ids.count(bert.tokenizer.mask_token_id)
            assert (f"Blanks left: {left}." in on_page.said(filler)) == (left > 0)
        whole = pocketweb.is_possible(text + pocketweb.END)
        assert ("A possible text." in on_page.said(filler)) == whole
        assert ("✗" in filler.view.value) == (not whole)


def test_it_opens_where_one_a_round_and_all_at_once_differ(filler):
    still = filler.still.text
    assert "1 a round. Round 8 of 8: A possible text." in still
    assert "8 a round. Round 1 of 1: Not a possible text. Its first 10 tokens" in still


def test_the_cross_is_in_front_of_the_first_impossible_token(bert):
    filler = PageFiller(bert, TEXT, seed=3)
    filler.per_round.value = 8
    before, after = on_page.Page(filler.view.value).text.split("✗")
    assert pocketweb.is_possible(before.rstrip())
    assert not pocketweb.is_possible(before.rstrip() + pocketweb.tokenize(after)[0])


def test_moving_runs_no_model(filler, bert, passes_of):
    passes = passes_of(bert)
    for hidden in (1, 15, 7):
        filler.hidden.value = hidden
        for order in ORDERS:
            filler.order.value = order
            filler.per_round.value = 16 - hidden
            filler.round.value = 0
    assert not passes


def test_every_control_has_a_name(filler):
    controls = (filler.hidden, filler.per_round, filler.round, filler.order)
    assert [it.description for it in controls] == ["hide tokens", "a round", "round", "order"]


def test_it_displays_a_widget_with_words_for_pages_without_a_kernel(filler, words_shown):
    assert "Sliders for how pocket-bert fills a page" in words_shown(filler)


# ---- the stored table


def test_the_stored_settings_are_the_measured_ones():
    stored = tables.read("pages")
    assert stored.n_pages.min() >= 100
    assert tables.made_by("pages") == "python -m tests.tools.make_data pages"
    settings = list(zip(stored.order, stored.per_round, strict=True))
    assert settings == maker.SETTINGS * len(maker.HIDDEN)
    first = next(maker.rows())
    kept = stored.iloc[0].to_dict()
    assert first.pop("order") == kept.pop("order")
    assert first == pytest.approx(kept, abs=1e-5)
