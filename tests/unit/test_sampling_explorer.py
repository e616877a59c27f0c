"""SamplingExplorer: what stands on the page is what the model and transformers' own processors
say.
"""

import asyncio
import html
import math
import re
import sys
import types

import ipywidgets as widgets
import pytest
import torch
from transformers import (
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from helpers.explorers import (
    Bar,
    SamplingExplorer,
    bars_html,
    sampling,
)
from helpers.explorers._controls import labelled
from helpers.explorers._explorer import STALE
from helpers.explorers._next_token import TOKENS_SHOWN
from helpers.generation import generate_text, next_token_logits
from helpers.lab import pocketweb
from helpers.models import LanguageModel, ModelNotAvailable, load_causal_lm
from tests.support.page import HOSTILE, Page, controls, rows, said

PROMPT = "Once upon a time, in a small village"
SLIDERS = (widgets.FloatSlider, widgets.FloatLogSlider)


@pytest.fixture(scope="module")
def lm():
    return load_causal_lm("pocket-gpt2")


@pytest.fixture
def explorer(lm):
    return SamplingExplorer(lm, PROMPT, max_new_tokens=12)


@pytest.fixture
def passes(lm):
    """How many forward passes have run: a list with one entry for each."""
    calls = []
    handle = lm.model.register_forward_hook(lambda *_: calls.append(1))
    yield calls
    handle.remove()


def written(explorer):
    """The prompt and what was written after it, as the page shows them."""
    return cards(explorer.written)["the text so far"]


def cards(view):
    """{label: (prompt, new text)} of the cards in a view."""
    card = r"<div [^>]*>([^<>]*)</div><p [^>]*><b>(.*?)</b><span>(.*?)</span>"
    return {
        label: tuple(part.replace("<br>", "\n").replace("&nbsp;", " ") for part in parts)
        for label, *parts in re.findall(card, view.value)
    }


def reference(logits, temperature, top_k, top_p):
    """Probabilities by transformers' own processors: after the cut, and before it."""
    ids = torch.zeros(1, 1, dtype=torch.long)
    warmed = TemperatureLogitsWarper(temperature)(ids, logits[None])
    cut = LogitsProcessorList([TopKLogitsWarper(top_k), TopPLogitsWarper(top_p)])(ids, warmed)
    return cut.double().softmax(-1)[0], warmed.double().softmax(-1)[0]


# ---- bars


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"),
    [
        (0.8, 50, 1.0),
        (0.3, 5, 1.0),
        (1.7, 1, 1.0),
        (1.0, 2000, 1.0),
        (1.0, 2697, 0.5),
        (1.5, 5, 0.9),
        (0.3, 50, 0.01),
    ],
)
def test_bars_and_sentence_are_those_of_transformers(lm, explorer, temperature, top_k, top_p):
    explorer.temperature.value, explorer.top_k.value = temperature, top_k
    explorer.top_p.value = top_p
    logits = next_token_logits(lm, PROMPT)
    after, before = reference(logits, temperature, top_k, top_p)
    order = logits.argsort(descending=True)
    shown = rows(explorer.bars)
    kept = after > 0
    assert len(shown) == TOKENS_SHOWN + (kept.sum() > TOKENS_SHOWN) + (~kept).any()
    for row, i in zip(shown[:TOKENS_SHOWN], order.tolist(), strict=False):
        kept = after[i] > 0
        expected = (after if kept else before)[i].item()
        assert row["dashed"] == ("cut" in row["cells"][2]) == (not kept)
        assert row["widths"]["i"] == pytest.approx(expected, abs=1e-4)
        assert row["cells"][0] == lm.vocabulary[i].replace(" ", "·")
    kept, rest = after > 0, order[TOKENS_SHOWN:]
    others = {row["cells"][0].split()[-1]: row["widths"]["i"] for row in shown[TOKENS_SHOWN:]}
    expected = {"kept": after[rest].sum().item(), "cut": before[rest][~kept[rest]].sum().item()}
    for word, share in expected.items():
        assert others.get(word, 0) == pytest.approx(share, abs=1e-4)
    entropy = -(after[kept] * after[kept].log()).sum().item()
    n_kept, vocab, mass, words, nats = re.search(
        r": ([\d,]+) of ([\d,]+) tokens kept, ([\d.]+) % of the probability; "
        r".* ([\d.,]+) equally likely words \(entropy ([\d.]+) nats\)",
        said(explorer),
    ).groups()
    assert (f"top-p {top_p:.2f}:" in said(explorer)) == (top_p < 1)
    assert (n_kept, vocab) == (f"{kept.sum().item():,}", f"{len(lm.vocabulary):,}")
    assert float(mass) == pytest.approx(100 * before[kept].sum().item(), abs=0.06)
    assert float(nats) == pytest.approx(entropy, abs=0.006)
    assert float(words.replace(",", "")) == pytest.approx(math.exp(entropy), rel=0.06)


def test_the_axis_stays_while_the_temperature_moves(lm):
    explorer, ends, first = SamplingExplorer(lm, "What is a", 1.0, None), set(), {}
    for explorer.temperature.value in (0.3, 0.7, 1.0, 2.0):
        ends.add(Page(explorer.bars.value).end)
        first[explorer.temperature.value] = rows(explorer.bars)[0]["widths"]["i"]
    assert ends == {0.9}
    assert first[0.3] > 3 * first[1.0] > 6 * first[2.0]
    explorer.top_k.value = 1
    assert Page(explorer.bars.value).end == 1.0


def test_what_is_typed_as_top_k_stays(explorer):
    """A browser puts the slider to its nearest position, which for 400 is 398.1."""
    explorer.top_k.value = 400
    explorer._cut_slider.value = 10**2.6
    assert explorer.top_k.value == 400
    for exponent, k in ((2.62, 417), (2.6, 398), (0.0, 1)):
        explorer._cut_slider.value = 10**exponent
        assert explorer.top_k.value == k


def test_one_is_no_plural(explorer):
    for top_k, row in ((11, "1 other kept"), (12, "2 others kept")):
        explorer.top_k.value = top_k
        assert row in explorer.bars.value


def test_the_truth_beside_the_bars_is_exact(lm):
    prompt = PROMPT + " by the sea, there lived a"
    exact = pocketweb.next_token(prompt)
    shown = rows(SamplingExplorer(lm, prompt).bars)
    for row in shown[:TOKENS_SHOWN]:
        assert row["widths"]["b"] == pytest.approx(
            exact.get(row["cells"][0].replace("·", " "), 0.0), abs=1e-4
        )
    assert sum(row["widths"]["b"] for row in shown) == pytest.approx(1, abs=1e-3)


def test_the_truth_is_that_of_the_text_so_far(lm, explorer):
    explorer.write()
    exact = pocketweb.next_token(html.unescape("".join(written(explorer))))
    for row in rows(explorer.bars)[:TOKENS_SHOWN]:
        assert row["widths"].get("b", 0) == pytest.approx(
            exact.get(row["cells"][0].replace("·", " "), 0), abs=1e-4
        )


def test_no_truth_outside_the_language(explorer):
    explorer.prompt.value = "Colourless green ideas"
    assert all("b" not in row["widths"] for row in rows(explorer.bars))
    assert "truth" not in explorer.bars.value


def test_no_truth_for_a_model_that_has_other_tokens(lm, monkeypatch):
    monkeypatch.setitem(lm.__dict__, "knows_whole_words_only", False)
    assert "b" not in rows(SamplingExplorer(lm, PROMPT).bars)[0]["widths"]


def test_cut_tokens_differ_by_more_than_colour():
    cut, kept = rows(bars_html([Bar("x", 0.25, kept=False), Bar("y", 0.75)]))
    assert cut["cells"][2] == "cut 25.0"
    assert kept["cells"][2] == "75.0"
    assert (cut["dashed"], kept["dashed"]) == (True, False)


def test_tiny_probabilities_are_not_called_zero():
    tiny, zero = rows(bars_html([Bar("x", 1e-9, truth=1e-9), Bar("y", 0.0, truth=0.0)]))
    assert tiny["cells"][2:] == ["<0.1", "<0.1"]
    assert zero["cells"][2:] == ["0", "0"]


def test_the_still_shows_what_the_explorer_shows(explorer):
    for explorer.temperature.value in (0.3, 1.0, 2.0):
        sentence = said(explorer)
        assert sentence in repr(explorer.still)
        for row in rows(explorer.bars)[:8]:
            assert row["cells"] in [shown["cells"] for shown in rows(explorer.still.html)]


# ---- sliders


def test_moving_a_slider_runs_no_model(lm, explorer, passes):
    slider = explorer.children[1].children[0].children[1]
    for position in (0.1, 0.35, 2.0):
        slider.value = position
        assert explorer.temperature.value == position
        assert f"temperature {position:.2f}" in said(explorer)
    cut = explorer.children[1].children[1].children[1]
    cut.value = 10.0
    assert explorer.top_k.value == 10
    cut.value = 10**cut.max
    assert explorer.top_k.value == len(lm.vocabulary)
    assert "top-k off:" in said(explorer)
    share = explorer.children[1].children[2].children[1]
    share.value = 0.6
    assert explorer.top_p.value == 0.6
    assert "top-k off, top-p 0.60: " in said(explorer)
    assert not passes


def test_the_boxes_lead_the_sliders(explorer):
    warmth, cut, share = (row.children[1] for row in explorer.children[1].children)
    explorer.temperature.value, explorer.top_k.value, explorer.top_p.value = 1.35, 37, 0.42
    assert warmth.value == pytest.approx(1.35)
    assert cut.value == pytest.approx(37)
    assert share.value == pytest.approx(0.42)
    assert explorer.top_k.value == 37


def test_a_fast_drag_ends_in_the_right_state(lm, explorer, passes):
    slider, cut, _ = (row.children[1] for row in explorer.children[1].children)
    for i in range(200):
        slider.value = 0.1 + 0.05 * (i * 7 % 39)
        cut.value = 1 + i * 13 % 500
    slider.value, cut.value = 0.6, 20
    assert passes == []
    fresh = SamplingExplorer(lm, PROMPT, 0.6, 20)
    assert rows(explorer.bars) == rows(fresh.bars)


def test_sliders_cannot_reach_a_value_that_fails(explorer):
    for control in (
        explorer.temperature,
        explorer.top_k,
        explorer.top_p,
        explorer.seed,
        explorer.tokens,
    ):
        for wrong in (0, -1):
            control.value = wrong
            assert control.value == control.min
    assert said(explorer).startswith("temperature 0.10, top-k 1, top-p 0.01: 1 of")


def test_labelled_rows_follow_in_both_directions():
    box, slider = (
        widgets.BoundedFloatText(0.5, min=0, max=1, description="x"),
        widgets.FloatSlider(min=0, max=1),
    )
    labelled(box, slider, lambda position: round(position, 2))
    assert slider.value == 0.5
    slider.value = 0.123
    assert box.value == 0.12
    box.value = 0.9
    assert slider.value == 0.9


# ---- writing


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p", "seed"),
    [(0.8, 50, None, 0), (1.4, None, 0.5, 3), (0.5, 3, 1, 7), (2.0, 9, 0.005, 1)],
)
def test_write_writes_what_generate_text_writes(lm, temperature, top_k, top_p, seed):
    explorer = SamplingExplorer(lm, PROMPT, temperature, top_k, seed, 15, top_p)
    explorer.write()
    text = generate_text(lm, PROMPT, 15, temperature, top_k, seed=seed, top_p=top_p)
    assert html.unescape("".join(written(explorer))) == text


def test_a_step_appends_one_token_and_moves_on(lm, explorer, passes):
    before = explorer.bars.value
    assert explorer.step()
    assert len(passes) == 1
    new = html.unescape(written(explorer)[1])
    assert new in lm.vocabulary
    assert explorer.bars.value != before
    there = SamplingExplorer(lm, PROMPT + new)
    assert rows(explorer.bars)[0]["cells"][0] == rows(there.bars)[0]["cells"][0]


def test_the_shown_code_writes_the_same(explorer, capsys):
    explorer.show_code.value, explorer.temperature.value, explorer.seed.value = True, 1.1, 5
    explorer.top_p.value = 0.7
    code = explorer.children[-1].value
    assert code == explorer.code()
    compile(code, "code", "exec")
    exec(code, {})
    explorer.write()
    assert capsys.readouterr().out.strip() == html.unescape("".join(written(explorer))).strip()


def test_the_code_of_a_real_model_is_plain_transformers(lm):
    code = SamplingExplorer(
        LanguageModel(lm.model, lm.tokenizer, "gpt2"), "def f():\n\t'''", top_k=None
    ).code()
    compile(code, "code", "exec")
    assert "helpers" not in code
    assert "AutoModelForCausalLM.from_pretrained('gpt2')" in code
    assert "top_k=0," in code
    assert "top_p=1.0," in code
    assert repr("def f():\n\t'''") in code


def test_four_seeds_side_by_side(lm, explorer):
    explorer.seed.value, explorer.top_p.value = 2, 0.8
    explorer.several()
    texts = cards(explorer.seeds)
    assert list(texts) == ["seed 2", "seed 3", "seed 4", "seed 5"]
    for label, (_, new) in texts.items():
        seed = label.split()[1]
        assert PROMPT + html.unescape(new) == generate_text(
            lm, PROMPT, 12, 0.8, 50, seed=int(seed), top_p=0.8
        )


def test_start_over_and_a_new_seed_go_back_to_the_prompt(explorer):
    explorer.write()
    first = written(explorer)
    button(explorer, "Start over").click()
    assert written(explorer)[1] == ""
    explorer.write()
    assert written(explorer) == first
    explorer.seed.value = 99
    assert written(explorer)[1] == ""


def test_a_text_that_has_ended_says_so_and_stays(lm):
    explorer = SamplingExplorer(lm, "12+34=46.", top_k=1, max_new_tokens=200)
    explorer._ended = True
    before = written(explorer)
    assert not explorer.step()
    assert "The model ended its text. Start over" in said(explorer)
    assert written(explorer) == before


def test_a_full_context_is_explained(lm):
    explorer = SamplingExplorer(lm, PROMPT, top_k=1)
    explorer.prompt.value = " the" * (lm.context - 2)  # and the token that begins a text
    assert explorer.step()
    assert not explorer.step()
    assert f"reads {lm.context} tokens at most" in said(explorer)
    explorer.prompt.value += " the the"
    assert f"at most {lm.context}" in said(explorer)


# ---- errors, kept on the page


def test_an_impossible_prompt_is_explained_and_nothing_is_lost(explorer):
    before = rows(explorer.bars)
    for prompt, sentence in (
        ("", "is empty"),
        ("half \ud83d", "half a character"),
        ("x " * 300, "at most 256"),
    ):
        explorer.prompt.value = prompt
        for act in (explorer.step, explorer.write, explorer.several, lambda: None):
            act()
            assert sentence in said(explorer)
        explorer.temperature.value = 0.9
        assert sentence in said(explorer)
    explorer.prompt.value, explorer.temperature.value = PROMPT, 0.8
    assert rows(explorer.bars) == before
    assert STALE not in explorer.bars.value


def test_a_temperature_that_is_no_number_is_explained(explorer):
    explorer.temperature.value = math.nan
    assert "finite number" in said(explorer)
    explorer.step()
    explorer.several()
    assert "finite number" in said(explorer)
    explorer.temperature.value = 0.8
    assert said(explorer).startswith("temperature 0.80")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"prompt": ""}, ValueError),
        ({"prompt": None}, TypeError),
        ({"temperature": 0}, ValueError),
        ({"temperature": "hot"}, TypeError),
        ({"top_k": -1}, ValueError),
        ({"top_k": 2.5}, TypeError),
        ({"top_p": 0}, ValueError),
        ({"top_p": math.nan}, ValueError),
        ({"top_p": "most"}, TypeError),
    ],
)
def test_the_first_arguments_are_checked_like_those_of_generate_text(lm, arguments, error):
    with pytest.raises(error):
        SamplingExplorer(lm, **arguments)


def test_a_model_that_cannot_be_had_leaves_the_old_one(lm, explorer, monkeypatch):
    def refuse(name):
        raise ModelNotAvailable(f"{name!r} is not available: <no network>.", "Use 'pocket-gpt2'.")

    monkeypatch.setattr(sampling, "load_causal_lm", refuse)
    before = rows(explorer.bars)
    explorer.model.value = "gpt2"
    assert "'gpt2' is not available: <no network>. Use 'pocket-gpt2'." in said(explorer)
    assert explorer.model.value == "pocket-gpt2"
    assert explorer.lm is lm
    assert rows(explorer.bars) == before
    assert explorer.step()


def test_another_model_takes_over(lm, explorer, monkeypatch):
    other = LanguageModel(lm.model, lm.tokenizer, "distilgpt2")
    monkeypatch.setattr(sampling, "load_causal_lm", lambda name: other)
    explorer.top_k.value = explorer.top_k.max
    explorer.write()
    explorer.model.value = "distilgpt2"
    assert explorer.lm is other
    assert written(explorer)[1] == ""
    assert "distilgpt2" in explorer.bars.value
    explorer.model.value = "pocket-gpt2"
    assert explorer.lm is lm
    assert explorer.top_k.value == len(lm.vocabulary)


def test_unknown_words_are_named(explorer):
    explorer.prompt.value = "Once upon a time, a chatbot"
    assert "has never seen: chatbot." in said(explorer)
    explorer.temperature.value = 1.0
    assert "has never seen: chatbot." in said(explorer)


def test_interrupting_in_the_middle_of_a_pass_leaves_it_usable(lm, explorer):
    explorer.step()

    def interrupt(*_):
        raise KeyboardInterrupt

    handle = lm.model.transformer.h[-1].register_forward_hook(
        interrupt
    )  # the first layers' cache is written by then
    with pytest.raises(KeyboardInterrupt):
        explorer.write()
    handle.remove()
    shown = written(explorer)
    assert shown[1]
    assert explorer.step()
    text = html.unescape("".join(written(explorer)))
    assert text.startswith(html.unescape("".join(shown)))
    torch.testing.assert_close(
        explorer._place.logits, next_token_logits(lm, text), rtol=1e-3, atol=1e-3
    )


# ---- safety and order on the page


def test_hostile_text_is_shown_and_not_run(explorer):
    explorer.prompt.value = HOSTILE
    explorer.write()
    explorer.several()
    for view in (explorer.written, explorer.seeds, explorer.status, explorer.bars):
        page = Page(view.value)
        assert not {"img", "script"} & set(page.tags)
        assert not re.search("[\x00-\x08\x0b-\x1f\u202e\u202c\u2028]", view.value)
    signs = "⟨U+001B⟩[31mred⟨U+0000⟩ ⟨U+202E⟩dlrow⟨U+202C⟩ **bold**"
    shown = f'<img src=x onerror="alert(1)"> </script> {{0}} & {signs}'
    assert shown in Page(explorer.written.value).text


def test_hostile_tokens_stay_inside_their_cell():
    (row,) = rows(bars_html([Bar('"><b style="x">\n\t <script>', 0.5)]))
    assert row["cells"][0] == '"><b·style="x">⏎⇥·<script>'
    assert row["widths"] == {"i": 0.5}


def test_two_explorers_do_not_disturb_each_other(lm):
    one, two = (
        SamplingExplorer(lm, PROMPT, max_new_tokens=6),
        SamplingExplorer(lm, "The", seed=4, max_new_tokens=6),
    )
    alone = SamplingExplorer(lm, PROMPT, max_new_tokens=6)
    alone.write()
    for _ in range(6):
        one.step()
        two.step()
        two.temperature.value += 0.05
    assert written(one) == written(alone)
    assert one.temperature.value == 0.8


def button(explorer, label):
    return next(
        w for w in controls(explorer) if isinstance(w, widgets.Button) and w.description == label
    )


def test_every_control_has_a_name_and_every_slider_a_named_box(explorer):
    for widget in controls(explorer):
        if isinstance(widget, widgets.HBox) and isinstance(widget.children[-1], SLIDERS):
            assert widget.children[0].description in ("temperature", "top-k", "top-p")
        elif not isinstance(widget, (widgets.Box, widgets.HTML, *SLIDERS)):
            assert widget.description, type(widget)
    assert 'role="status" aria-live="polite"' in explorer.status.value
    assert '<th scope="row" ' in explorer.bars.value


def test_it_displays_a_widget_with_words_for_pages_without_a_kernel(explorer, words_shown):
    assert "Sliders for temperature, top-k and top-p, on pocket-gpt2" in words_shown(explorer)


# ---- in a kernel, where an event loop runs


async def until(condition):
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen within 10 s")


def test_the_sliders_stay_alive_while_a_text_is_written(lm, explorer):
    async def scenario():
        button(explorer, "Write").click()
        await until(lambda: written(explorer)[1])
        button(explorer, "Stop")
        explorer.temperature.value = 1.5
        assert "temperature 1.50" in said(explorer)
        explorer.temperature.value = 0.8
        await until(lambda: explorer._write_button.description == "Write")

    asyncio.run(scenario())
    new = html.unescape(written(explorer)[1])
    assert 10 <= len(lm.tokenizer(new, add_special_tokens=False).input_ids) <= 12


@pytest.mark.parametrize("label", ["Stop", "Start over"])
def test_writing_can_be_stopped(explorer, label):
    explorer.tokens.value = 200

    async def scenario():
        button(explorer, "Write").click()
        await until(lambda: written(explorer)[1])
        button(explorer, label).click()
        text = written(explorer)
        await asyncio.sleep(0.1)
        assert written(explorer) == text

    asyncio.run(scenario())
    assert (written(explorer)[1] == "") == (label == "Start over")
    button(explorer, "Write")
    assert explorer.step()


def test_colab_gets_the_whole_text_with_the_click(lm, explorer, monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))

    async def scenario():
        button(explorer, "Write").click()
        return html.unescape("".join(written(explorer)))

    assert asyncio.run(scenario()) == generate_text(lm, PROMPT, 12, 0.8, 50, seed=0)
