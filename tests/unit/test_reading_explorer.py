"""ReadingExplorer: the left bars stand still, the right ones follow what is revealed, and the truth
is exact.
"""

import html
import re

import pytest
from transformers import pipeline

from helpers.explorers import ReadingExplorer, reading, reading_picture
from helpers.explorers._explorer import STALE
from helpers.generation import next_token_logits
from helpers.lab import pocketweb
from helpers.models import LanguageModel, load_causal_lm, load_masked_lm
from tests.support.page import rows
from tests.support.tiny_models import tiny

CAT = "The [MASK] sat on the mat."
HOSTILE = 'Once <img src=x onerror="alert(1)"> [MASK] </script> {0} & \x1b[31mred\u202edlrow\u202c'


@pytest.fixture(scope="module")
def causal():
    return load_causal_lm("pocket-gpt2")


@pytest.fixture(scope="module")
def masked():
    return load_masked_lm("pocket-bert")


@pytest.fixture
def explorer(causal, masked):
    return ReadingExplorer(causal, masked)


@pytest.fixture
def passes(passes_of, causal, masked):
    return passes_of(causal, masked)


def table(view):
    """{label: (probability, truth or None)} from the widths of the bars."""
    found = {}
    for row in rows(view):
        found[row["cells"][0]] = row["widths"]["i"], row["widths"].get("b")
    return found


def said(explorer):
    return html.unescape(re.sub(r"<[^>]+>", "", explorer.status.value))


def seen(view):
    """The text above the bars: what the model sees, what is hidden from it."""
    (text,) = re.findall(r'<p class="lmm-sees"[^>]*><b>.*?</b><br>(.*?)</p>', view.value, re.DOTALL)
    return re.sub(r"<s .*?</s>|<[^>]+>", "", text), re.findall(r"<s [^>]*>(.*?)</s>", text)


def parts(text):
    left, right = text.split("[MASK]")
    words = re.split(r"(?<=\S)(?=\s)", right)
    return left.rstrip(" "), [left + "[MASK]" + "".join(words[:n]) for n in range(len(words) + 1)]


# ---- bars


def test_the_causal_bars_stand_still_and_the_masked_ones_move(explorer):
    causal, masked = explorer.causal_bars.value, {table(explorer.masked_bars)["restaurant"]}
    for n in range(1, explorer.revealed.max + 1):
        explorer.revealed.value = n
        assert explorer.causal_bars.value == causal
        masked.add(table(explorer.masked_bars)["restaurant"])
        assert f"{n} of 11 words" in said(explorer)
    assert len(masked) > 5


@pytest.mark.parametrize("text", [CAT, reading.TEXT])
def test_bars_are_those_of_transformers_at_every_place(causal, masked, text):
    explorer, (left, shown) = ReadingExplorer(causal, masked, text), parts(text)
    fill = pipeline(
        "fill-mask", model=masked.model, tokenizer=masked.tokenizer, top_k=len(masked.vocabulary)
    )
    probabilities = next_token_logits(causal, left).softmax(-1).tolist()
    for word, (probability, _) in table(explorer.causal_bars).items():
        if word != "all other words":
            ids = causal.tokenizer([word, f" {word}"], add_special_tokens=False).input_ids
            assert probability == pytest.approx(
                sum(probabilities[i[0]] for i in ids if len(i) == 1), abs=2e-4
            )
    for n, view in enumerate(shown):
        explorer.revealed.value = n
        expected = {}
        for candidate in fill(view):
            word = candidate["token_str"].strip()
            expected[word] = expected.get(word, 0) + candidate["score"]
        bars = table(explorer.masked_bars)
        rest = bars.pop("all other words")[0]
        assert {word: p for word, (p, _) in bars.items()} == pytest.approx(
            {w: expected[w] for w in bars}, abs=2e-4
        )
        assert rest == pytest.approx(1 - sum(expected[word] for word in bars), abs=2e-4)
        assert max(expected, key=expected.get) in bars


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "albert"])
def test_models_of_the_hub_are_read_in_the_same_way(family):
    masked = tiny(family)
    explorer = ReadingExplorer(tiny("gpt2"), masked, CAT)
    explorer.revealed.value = 4
    fill = pipeline(
        "fill-mask", model=masked.model, tokenizer=masked.tokenizer, top_k=len(masked.tokenizer)
    )
    expected = dict.fromkeys(table(explorer.masked_bars), 0)
    for candidate in fill(CAT.replace("[MASK]", masked.tokenizer.mask_token)):
        word = (
            masked.vocabulary[candidate["token"]].strip(" ").replace(" ", "·").replace("\n", "⏎")
            or "(none)"
        )
        expected[word if word in expected else "all other words"] += candidate["score"]
    assert {word: p for word, (p, _) in table(explorer.masked_bars).items()} == pytest.approx(
        expected, abs=2e-4
    )
    assert {truth for _, truth in table(explorer.masked_bars).values()} == {None}


@pytest.mark.parametrize(
    "text", [CAT, reading.TEXT, "Write a haiku about [MASK].\none leaf, then the next"]
)
def test_the_truth_beside_the_bars_is_exact(causal, masked, text):
    explorer, (left, shown) = ReadingExplorer(causal, masked, text), parts(text)
    views = [(explorer.causal_bars, 0, pocketweb.next_token(left))]
    views += [(explorer.masked_bars, n, pocketweb.blank(view)) for n, view in enumerate(shown)]
    for view, n, exact in views:
        explorer.revealed.value = n
        exact = {token.strip(" "): p for token, p in exact.items()}
        bars = table(view)
        rest = bars.pop("all other words")[1]
        assert exact
        assert {word: t for word, (_, t) in bars.items()} == pytest.approx(
            {w: exact.get(w, 0) for w in bars}, abs=1e-4
        )
        assert rest == pytest.approx(1 - sum(exact.get(word, 0) for word in bars), abs=1e-4)


def test_the_rows_are_the_same_in_both_tables_at_every_place(explorer):
    rows = list(table(explorer.causal_bars))
    assert {"restaurant", "cafe", "bakery"} < set(rows)
    assert 4 <= len(rows) <= reading.WORDS_SHOWN + 1
    for n in range(12):
        explorer.revealed.value = n
        assert list(table(explorer.masked_bars)) == rows


def test_what_each_model_sees_is_marked(explorer):
    explorer.revealed.value = 3
    assert seen(explorer.causal_bars)[0].strip() == "Review: We went to a ?"
    assert len(seen(explorer.causal_bars)[1]) == 11
    assert seen(explorer.masked_bars)[0].strip() == "Review: We went to a ?. The music"
    assert len(seen(explorer.masked_bars)[1]) == 8
    explorer.revealed.value = 11
    assert seen(explorer.masked_bars) == (reading.TEXT.replace("[MASK]", "?"), [])


def test_white_space_is_kept_as_typed(causal, masked):
    explorer = ReadingExplorer(
        causal, masked, "Write a haiku about [MASK].\none leaf, then the next\n"
    )
    explorer.revealed.value = explorer.revealed.max
    assert seen(explorer.masked_bars)[0] == "Write a haiku about ?.\none leaf, then the next\n"


def test_no_truth_outside_the_language_nor_for_other_vocabularies(causal, masked, monkeypatch):
    explorer = ReadingExplorer(causal, masked, "Colourless green [MASK] sleep furiously.")
    assert {truth for _, truth in table(explorer.causal_bars).values()} == {None}
    monkeypatch.setitem(masked.__dict__, "knows_whole_words_only", False)
    explorer = ReadingExplorer(causal, masked, CAT)
    assert {truth for _, truth in table(explorer.masked_bars).values()} == {None}
    assert None not in {truth for _, truth in table(explorer.causal_bars).values()}


def test_the_static_picture_shows_what_the_explorer_shows(causal, masked, explorer):
    explorer.revealed.value = 4
    picture = reading_picture(causal, masked, revealed=4)
    assert explorer.causal_bars.value in picture.html
    assert explorer.masked_bars.value in picture.html
    assert explorer.status.value in picture.html
    assert said(explorer) in picture.text
    for word, (probability, truth) in table(explorer.masked_bars).items():
        if word != "all other words":
            numbers = rf"{masked.name} +{100 * probability:.1f}% truth +{100 * truth:.1f}%"
            assert re.search(rf"'{word}' .* {numbers}", repr(picture))


# ---- the slider


def test_moving_the_slider_runs_no_model(explorer, passes):
    slider = explorer.children[1].children[0].children[1]
    for place in (3, 11, 0, 7):
        slider.value = place
        assert explorer.revealed.value == place
    explorer.show_code.value = True
    assert not passes
    explorer.text.value = CAT
    assert 0 < len(passes) <= 1 + 5  # the left side once, and the right one for each length


def test_a_new_text_starts_with_everything_hidden(explorer):
    slider = explorer.children[1].children[0].children[1]
    explorer.revealed.value = 9
    explorer.text.value = CAT
    assert (explorer.revealed.value, slider.value) == (0, 0)
    assert (explorer.revealed.max, slider.max) == (4, 4)
    explorer.revealed.value = 99
    assert said(explorer).startswith("4 of 4 words")
    assert "cat" in table(explorer.masked_bars)


# ---- errors, kept on the page


@pytest.mark.parametrize(
    ("text", "error", "sentence"),
    [
        ("", ValueError, "is empty"),
        (None, TypeError, "must be a string"),
        ("No blank here.", ValueError, "one [MASK]"),
        ("[MASK] sat.", ValueError, "both sides"),
        ("It ends with a [MASK]", ValueError, "both sides"),
        ("A [MASK] and a [MASK] sat.", ValueError, "one [MASK]"),
        ("half \ud83d [MASK] x", ValueError, "half a character"),
        ("the " * 150 + "[MASK]" + " the" * 150, ValueError, "at most 256"),
    ],
)
def test_an_impossible_text_is_refused_before_a_model_runs(
    causal, masked, passes, text, error, sentence
):
    for make in (ReadingExplorer, reading_picture):
        with pytest.raises(error) as caught:
            make(causal, masked, text)
        assert sentence in str(caught.value)
    assert not passes


def test_an_impossible_text_is_explained_and_the_next_one_read(explorer):
    before = explorer.masked_bars.value
    explorer.text.value = "No blank here."
    assert "must hold one [MASK]" in said(explorer)
    explorer.revealed.value = 3
    explorer.show_code.value = True
    assert "must hold one [MASK]" in said(explorer)
    assert explorer.masked_bars.value == f"{STALE}{before}</div>"
    explorer.text.value = reading.TEXT
    assert explorer.masked_bars.value == before


@pytest.mark.parametrize("swap", [True, False])
def test_a_model_of_the_wrong_kind_is_refused(causal, masked, swap):
    with pytest.raises(ValueError, match="This needs a"):
        ReadingExplorer(*((masked, causal) if swap else (causal, causal)))


@pytest.mark.parametrize(
    ("revealed", "error"), [(-1, ValueError), (12, ValueError), (2.5, TypeError), ("3", TypeError)]
)
def test_a_place_that_is_not_there_is_refused(causal, masked, revealed, error):
    with pytest.raises(error, match="revealed must be"):
        reading_picture(causal, masked, revealed=revealed)


def test_unknown_words_are_named(explorer):
    assert "never seen" not in said(explorer)
    explorer.text.value = "The chatbot went to the [MASK] to buy bread."
    assert "pocket-bert has never seen: chatbot." in said(explorer)
    explorer.revealed.value = 2
    assert "has never seen: chatbot." in said(explorer)


# ---- on the page


def test_hostile_text_is_shown_and_not_run(causal, masked):
    explorer = ReadingExplorer(causal, masked, HOSTILE)
    for n in range(explorer.revealed.max + 1):
        explorer.revealed.value = n
        for view in (explorer.causal_bars, explorer.masked_bars, explorer.status):
            assert not re.search(r"<(img|script|/script)", view.value)
            assert not re.search("[\x00-\x08\x0b-\x1f\u202e\u202c]", view.value)
    assert "⟨U+001B⟩[31mred⟨U+202E⟩dlrow" in explorer.masked_bars.value


@pytest.mark.parametrize("n", [0, 7])
def test_the_shown_code_prints_the_same(causal, masked, explorer, capsys, n):
    explorer.show_code.value, explorer.revealed.value = True, n
    code = explorer.children[-1].value
    assert code == explorer.code()
    exec(compile(code, "code", "exec"), {})
    lines = re.findall(r"^ *([\d.]+)% +(\S+)$", capsys.readouterr().out, re.M)
    printed = [(word, float(share)) for share, word in lines]
    assert len(printed) == 10
    for view, lines in ((explorer.causal_bars, printed[:3]), (explorer.masked_bars, printed[5:8])):
        bars = table(view)
        assert lines[0][0] in bars
        for word, share in lines:
            if word in bars:
                assert bars[word][0] == pytest.approx(share / 100, abs=1e-3)


def test_the_code_of_real_models_is_plain_transformers(causal, masked):
    one = LanguageModel(causal.model, causal.tokenizer, "gpt2")
    other = LanguageModel(masked.model, masked.tokenizer, "roberta-base")
    code = ReadingExplorer(one, other, CAT).code()
    compile(code, "code", "exec")
    assert "helpers" not in code
    assert "AutoModelForCausalLM.from_pretrained('gpt2')" in code
    assert "AutoModelForMaskedLM.from_pretrained('roberta-base')" in code


def test_every_control_has_a_name(explorer):
    controls = [explorer.text, explorer.revealed, explorer.show_code, explorer.children[-1]]
    assert [control.description for control in controls] == [
        "text",
        "revealed",
        "Show as code",
        "code",
    ]
    assert 'role="status" aria-live="polite"' in explorer.status.value


def test_it_displays_a_widget_with_words_for_pages_without_a_kernel(explorer, words_shown):
    assert "A slider on pocket-gpt2 and pocket-bert" in words_shown(explorer)
