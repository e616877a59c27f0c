"""FillMaskExplorer: the page shows what transformers' own pipeline says, at every length of the
right side.
"""

import html
import re

import ipywidgets as widgets
import pytest
from transformers import pipeline

from helpers._plumbing.words import visible
from helpers.explorers import FillMaskExplorer, fill_mask
from helpers.explorers._explorer import STALE
from helpers.lab import pocketweb
from helpers.models import LanguageModel, ModelNotAvailable, load_masked_lm
from tests.support.page import HOSTILE, Page, controls, rows, said
from tests.support.tiny_models import MASKED, tiny

CAT = "The [MASK] sat on the mat."
TINY = "the [MASK] sat on the mat."
SEVERAL = "the [MASK] sat on the [MASK] and [MASK]."


@pytest.fixture(scope="module")
def lm():
    return load_masked_lm("pocket-bert")


@pytest.fixture
def explorer(lm):
    return FillMaskExplorer(lm, CAT)


@pytest.fixture
def passes(passes_of, lm):
    return passes_of(lm)


def tables(page):
    """The rows of each table of bars on a page, without the heads."""
    page = page.value if isinstance(page, widgets.HTML) else page
    return [rows(table) for table in re.findall(r"<table .*?</table>", page, re.DOTALL)]


def sentence(page):
    """The text as the page shows it to the model: "1", "2" for blanks, an underscore for each
    hidden letter.
    """
    return Page(re.search(r'<p class="lmm-sees".*?</p>', page.value, re.DOTALL)[0]).text


def agree(lm, shown, text, **options):
    """Whether tables show what the pipeline answers about a text."""
    pipe = pipeline("fill-mask", model=lm.model, tokenizer=lm.tokenizer)
    answers = pipe(text.replace("[MASK]", lm.tokenizer.mask_token), top_k=10, **options)
    answers = answers if isinstance(answers[0], list) else [answers]
    assert len(shown) == len(answers)
    for table, answer in zip(shown, answers, strict=True):
        *tokens, rest = table
        labels = [html.unescape(visible(lm.vocabulary[a["token"]], keep="")) for a in answer]
        assert [row["cells"][0] for row in tokens] == labels
        scores = [a["score"] for a in answer]
        assert [row["widths"]["i"] for row in tokens] == pytest.approx(scores, abs=1e-4)
        assert rest["widths"]["i"] == pytest.approx(1 - sum(scores), abs=1e-4)
    return True


# ---- bars


@pytest.mark.parametrize("family", MASKED)
@pytest.mark.parametrize("text", [TINY, "[MASK] sat on the mat.", SEVERAL, "once upon a [MASK]"])
def test_bars_are_those_of_the_pipeline_at_every_length_of_the_right_side(family, text):
    lm = tiny(family)
    explorer = FillMaskExplorer(lm, text)
    start, right = text.partition("[MASK]")[0] + "[MASK]", text.partition("[MASK]")[2]
    ends = [0, *(end.end() for end in re.finditer(r"\s*(?:\[MASK\]|\w+|\.)", right))]
    assert explorer.right_words.max == len(ends) - 1
    for n, end in enumerate(ends):
        explorer.right_words.value = n
        assert agree(lm, tables(explorer.bars), start + right[:end])
        assert f"{n} of {len(ends) - 1} words to the right shown" in said(explorer)


@pytest.mark.parametrize("family", MASKED)
@pytest.mark.parametrize("text", [TINY, SEVERAL])
def test_targets_are_those_of_the_pipeline(family, text):
    lm = tiny(family)
    spelled = {"ByteLevel": "Ġ", "Metaspace": "▁"}.get(
        type(lm.tokenizer.backend_tokenizer.decoder).__name__, ""
    )
    explorer = FillMaskExplorer(lm, text)
    explorer.targets.value = "cat, dog,mat,"
    assert agree(
        lm, tables(explorer.bars), text, targets=[spelled + word for word in ("cat", "dog", "mat")]
    )
    explorer.targets.value = ""
    assert agree(lm, tables(explorer.bars), text)


@pytest.mark.parametrize(
    ("family", "text", "word", "shown"),
    [
        ("roberta", "the [MASK] on", "sat", "·sat"),
        ("roberta", "[MASK] on", "a", "a"),
        ("albert", TINY, "cat", "·cat"),
        ("bert", TINY, "cat", "cat"),
        ("distilbert", TINY, "cat", "cat"),
        ("pocket-bert", CAT, "cat", "·cat"),
    ],
)
def test_the_space_that_belongs_to_a_token_is_shown(family, text, word, shown):
    explorer = FillMaskExplorer(tiny(family), text, [word])
    assert rows(explorer.bars)[0]["cells"][0] == shown
    assert f"likeliest: {word!r} " in said(explorer)


def test_the_truth_beside_the_bars_is_exact_at_every_length(explorer):
    pieces = ["", " sat", " on", " the", " mat", "."]
    for n in range(6):
        explorer.right_words.value = n
        exact = pocketweb.blank("The [MASK]" + "".join(pieces[: n + 1]))
        *tokens, rest = rows(explorer.bars)
        for row in tokens:
            assert row["widths"]["b"] == pytest.approx(
                exact.get(row["cells"][0].replace("·", " "), 0.0), abs=1e-4
            )
        assert sum(row["widths"]["b"] for row in [*tokens, rest]) == pytest.approx(1, abs=1e-3)


def test_the_truth_is_left_out_where_there_is_none(lm, explorer, monkeypatch):
    for text, why in (
        ("The [MASK] sat on the [MASK].", "as if nobody knew what goes into the others"),
        ("Colourless green [MASK] sleep.", "No PocketWeb text begins like this"),
    ):
        explorer.text.value = text
        assert all("b" not in row["widths"] for table in tables(explorer.bars) for row in table)
        assert why in Page(explorer.bars.value).text
    monkeypatch.setitem(lm.__dict__, "knows_whole_words_only", False)
    explorer.text.value = CAT
    assert "b" not in rows(explorer.bars)[0]["widths"]
    assert "PocketWeb" not in explorer.bars.value


def test_a_blank_that_is_not_yet_revealed_has_no_bars(explorer):
    explorer.text.value = "The [MASK] sat on the [MASK]."
    assert len(tables(explorer.bars)) == 2
    assert "blank 1 " in said(explorer)
    assert "blank 2 " in said(explorer)
    explorer.right_words.value = 3
    assert len(tables(explorer.bars)) == 1
    assert "b" in rows(explorer.bars)[0]["widths"]


def test_the_still_shows_what_the_explorer_shows(lm):
    """At no word, half of the words and all of them."""
    for text in (CAT, "The [MASK] sat on the [MASK]."):
        explorer = FillMaskExplorer(lm, text)
        shown = []
        for n in (0, explorer.right_words.max // 2, explorer.right_words.max):
            explorer.right_words.value = n
            shown += tables(explorer.bars)
            assert said(explorer) in Page(explorer.still.html).text
            assert said(explorer) in explorer.still.text
        assert tables(explorer.still.html) == shown
    assert "' cat' " in FillMaskExplorer(lm, CAT, ["cat"]).still.text


# ---- the slider


def test_moving_the_slider_runs_no_model_and_reveals_a_word_at_a_time(explorer, passes):
    expected = [
        "The 1 ___ __ ___ ____",
        "The 1 sat __ ___ ____",
        "The 1 sat on ___ ____",
        "The 1 sat on the ____",
        "The 1 sat on the mat_",
        "The 1 sat on the mat.",
    ]
    for n in (5, 0, 3, 1, 4, 2):
        explorer._slider.value = n
        assert explorer.right_words.value == n
        assert sentence(explorer.bars) == expected[n]
    assert not passes


def test_a_new_text_is_read_at_most_once_for_each_length(explorer, passes):
    explorer.text.value = "The [MASK] purred by the fire."
    assert 0 < len(passes) <= 1 + 6  # the check and the lengths 0 to 5
    assert explorer.right_words.value == explorer.right_words.max == explorer._slider.value == 5


def test_the_slider_has_as_many_places_as_the_text_has_words(explorer):
    for text, n in (
        ("The [MASK]", 0),
        (CAT, 5),
        ("[MASK] ", 0),
        ("A [MASK] is on [MASK] mat, isn't it?", 8),
    ):
        explorer.text.value = text
        assert explorer.right_words.max == n
        assert explorer._slider.max == max(1, n)
        assert explorer._slider.disabled == (n == 0)
        assert f"{n} of {n} words" in said(explorer)


def test_of_a_long_text_the_last_step_brings_the_rest(lm, explorer, passes):
    text = "Once [MASK] " + "the " * 100
    explorer.text.value = text
    assert 0 < len(passes) <= fill_mask.ONE_BY_ONE + 2
    assert said(explorer).startswith("100 of 100 words")
    assert agree(lm, tables(explorer.bars), text)
    explorer.right_words.value -= 1
    assert said(explorer).startswith(f"{fill_mask.ONE_BY_ONE - 1} of 100 words")


# ---- code


def test_the_shown_code_gives_the_numbers_of_the_bars(explorer, capsys):
    for text, targets in ((CAT, ""), (CAT, "dog, cat"), ("The [MASK] sat on the [MASK].", "")):
        explorer.text.value, explorer.targets.value = text, targets
        assert explorer._code.value == explorer.code()
        exec(explorer.code(), {})
        printed = re.findall(r"^'(.*)' ([\d.]+)%$", capsys.readouterr().out, re.M)
        shown = [row["cells"] for table in tables(explorer.bars) for row in table[:-1]]
        assert [token.replace(" ", "·") for token, _ in printed] == [cells[0] for cells in shown]
        for (_, percent), cells in zip(printed, shown, strict=True):
            assert cells[2] in (percent, "<0.1", "0")


def test_the_code_of_a_real_model_is_plain_transformers():
    roberta = tiny("roberta")
    code = FillMaskExplorer(
        LanguageModel(roberta.model, roberta.tokenizer, "roberta-base"), TINY, ["cat"]
    ).code()
    compile(code, "code", "exec")
    assert "helpers" not in code
    assert "pipeline(\"fill-mask\", model='roberta-base')" in code
    assert "fill('the <mask> sat on the mat.', top_k=10, targets=['Ġcat'])" in code


# ---- errors, kept on the page


def test_an_impossible_text_is_explained_and_nothing_is_lost(explorer):
    before = rows(explorer.bars)
    for text, problem in (
        ("", "is empty"),
        ("The cat", "no [MASK]"),
        ("[MASK] " + "x " * 300, "at most 256"),
    ):
        explorer.text.value = text
        assert problem in said(explorer)
        assert explorer.bars.value.count(STALE) == 1
        explorer.right_words.value = 1
        explorer.show_code.value = not explorer.show_code.value
        assert problem in said(explorer)
    explorer.text.value = CAT
    assert rows(explorer.bars) == before
    assert STALE not in explorer.bars.value


def test_a_target_that_is_not_one_token_is_explained(explorer):
    explorer.targets.value = "cat, chatbot"
    assert "'chatbot' is not one token" in said(explorer)
    explorer.targets.value = "cat"
    assert "likeliest: 'cat'" in said(explorer)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"text": ""}, ValueError),
        ({"text": None}, TypeError),
        ({"text": "no blank"}, ValueError),
        ({"targets": []}, ValueError),
        ({"targets": "cat"}, TypeError),
        ({"lm": "bert"}, TypeError),
        ({"lm": tiny("pocket-gpt2")}, ValueError),
    ],
)
def test_the_first_arguments_are_checked_like_those_of_fill_mask(lm, arguments, error):
    with pytest.raises(error):
        FillMaskExplorer(**{"lm": lm} | arguments)


def test_a_model_that_cannot_be_had_leaves_the_old_one(lm, explorer, monkeypatch):
    def refuse(name):
        raise ModelNotAvailable(f"{name!r} is not available: <no network>.", "Use 'pocket-bert'.")

    monkeypatch.setattr(fill_mask, "load_masked_lm", refuse)
    before = rows(explorer.bars)
    explorer.model.value = "bert-base-uncased"
    assert "'bert-base-uncased' is not available: <no network>. Use 'pocket-bert'." in said(
        explorer
    )
    assert explorer.model.value == "pocket-bert"
    assert explorer.lm is lm
    assert rows(explorer.bars) == before
    explorer.right_words.value = 0
    assert said(explorer).startswith("0 of 5")


def test_another_model_takes_over(lm, explorer, monkeypatch):
    small = tiny("albert")
    other = LanguageModel(small.model, small.tokenizer, "albert-base-v2")
    monkeypatch.setattr(fill_mask, "load_masked_lm", lambda name: other)
    explorer.text.value = TINY
    explorer.model.value = "albert-base-v2"
    assert explorer.lm is other
    assert agree(small, tables(explorer.bars), TINY)
    assert "albert-base-v2" in explorer.bars.value
    explorer.model.value = "pocket-bert"
    assert explorer.lm is lm


def test_the_picker_names_the_five_models(explorer):
    assert explorer.model.options == (
        "pocket-bert",
        "bert-base-uncased",
        "roberta-base",
        "distilbert-base-uncased",
        "albert-base-v2",
    )


def test_unknown_words_are_named(explorer):
    explorer.text.value = "The chatbot sat on the [MASK]."
    assert "has never seen: chatbot." in said(explorer)


# ---- safety and order on the page


def test_hostile_text_is_shown_and_not_run(explorer):
    explorer.text.value = HOSTILE + " [MASK] " + HOSTILE
    for n in (0, 3, explorer.right_words.max):
        explorer.right_words.value = n
        for view in (explorer.status, explorer.bars):
            assert not {"img", "script"} & set(Page(view.value).tags)
            assert not re.search("[\x00-\x08\x0b-\x1f\u202e\u202c\u2028]", view.value)
    assert '<img src=x onerror="alert(1)">' in sentence(explorer.bars)


def test_every_control_has_a_name_and_every_slider_a_named_box(explorer):
    for widget in controls(explorer):
        if isinstance(widget, widgets.HBox) and isinstance(widget.children[-1], widgets.IntSlider):
            assert widget.children[0].description == "right words"
        elif not isinstance(widget, (widgets.Box, widgets.HTML, widgets.IntSlider)):
            assert widget.description, type(widget)
    assert 'role="status" aria-live="polite"' in explorer.status.value


def test_it_displays_a_widget_with_words_for_pages_without_a_kernel(explorer, words_shown):
    assert "slider on pocket-bert" in words_shown(explorer)
