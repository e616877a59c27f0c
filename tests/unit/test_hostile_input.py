"""Whatever is typed or handed over: a right answer, or a plain sentence from this package before
any model runs.

The properties are checked on values that hypothesis finds, the same ones each time. What the pages
make of hostile text is checked here as HTML, and in a real browser in
`tests/browser/test_hostile_text.py`.
"""

import gc
import math
import queue
import time
import traceback
import tracemalloc
import warnings
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import ipywidgets as widgets
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jupyter_client.manager import start_new_kernel

from helpers._plumbing import checkpoints, checks
from helpers._plumbing.checkpoints import shown
from helpers.explorers import FillMaskExplorer, ReadingExplorer, SamplingExplorer
from helpers.fill_mask import fill_mask
from helpers.generation import generate_text, next_token_probabilities, stream_text
from helpers.models import LanguageModel, ModelNotAvailable, load_causal_lm, load_masked_lm
from tests.support.notebook_plugin import ROOT
from tests.support.page import Page, controls
from tests.support.scripted import scripted
from tests.support.tiny_models import CAUSAL, MASKED, tiny

MANY = settings(
    max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
FEW = settings(MANY, max_examples=30)
HOSTILE = (
    '<img src=x onerror="alert(1)"></script><script>alert(2)</script>'
    "\x1b[31mred\x00\u202eevil **bold** [a](b:c) `{0}`"
)

pieces = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=8),  # lone surrogates too
    st.sampled_from(
        [
            "the cat",
            " ",
            "\n",
            "\0",
            "\ufffd",
            "😀",
            "👩\u200d👩\u200d👧",
            "مرحبا",
            "שלום",
            "e\u0301\u0323",
            "\u202e",
            "\ud83d",
            "\udc00",
            "<|endoftext|>",
            "[MASK]",
            "<mask>",
            "[CLS]",
            "[SEP]",
            "</s>",
            "▁",
            "##s",
            "\x1b[31m",
            HOSTILE,
            "a" * 70,
        ]
    ),
)
texts = st.lists(pieces, max_size=4).map("".join)
odd = st.sampled_from(
    [
        None,
        True,
        False,
        "5",
        "",
        b"a",
        [],
        [3],
        {},
        int,
        1j,
        10**5000,
        -(10**5000),
        math.nan,
        math.inf,
        -math.inf,
        Decimal("0.5"),
        Fraction(1, 2),
        np.int64(3),
        np.uint8(3),
        np.float16(0.5),
        np.float32("nan"),
        np.longdouble(0.5),
        np.bool_(True),
        np.array(3),
        np.array([3]),
        np.datetime64("2020-01-01"),
        np.str_("a"),
        torch.tensor(3),
        torch.tensor(0.5),
        torch.tensor([3]),
        torch.tensor(True),
        torch.tensor(math.nan),
        object(),
    ]
)
numbers = st.one_of(st.integers(), st.floats(), st.integers(-1, 12), st.floats(0.001, 3), odd)
sampling = {
    "temperature": st.one_of(st.just(0.8), numbers),
    "top_k": st.one_of(st.just(5), numbers),
    "top_p": st.one_of(st.none(), st.just(0.5), numbers),
}
lengths = {
    "max_new_tokens": st.one_of(st.just(3), numbers),
    "max_length": st.one_of(st.none(), numbers),
}
runs = {
    **sampling,
    **lengths,
    "do_sample": st.one_of(st.booleans(), odd),
    "seed": st.one_of(st.just(0), numbers),
}


def forward_passes(model):
    """A list that grows with every pass of a model."""
    passes = []
    model.register_forward_pre_hook(lambda *_: passes.append(1))
    return passes


PASSES = {}


@contextmanager
def a_right_answer_or_a_sentence(lm):
    """What is raised inside comes from this package, is short and printable, and no model has run
    before.
    """
    passes = PASSES.setdefault(lm.name, forward_passes(lm.model))
    passes.clear()
    caught = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (ValueError, TypeError) as error:
        caught = error
    if caught:
        assert_is_a_sentence(caught)
        assert not passes


def assert_is_a_sentence(error):
    raised_in = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    assert raised_in.is_relative_to(ROOT / "helpers"), f"{raised_in}: {error!r}"
    assert len(str(error)) < 600
    assert str(error).isprintable()
    assert str(error).endswith((".", '."'))


# ---- any value, any text


@MANY
@given(st.sampled_from(CAUSAL), texts, st.fixed_dictionaries(runs), st.one_of(st.just(1), numbers))
@example("gpt2", "the cat", {"temperature": 1e300}, 2)
@example("gpt2", "the cat", {"seed": 2**63 - 1}, 1)
@example("gpt2", "the cat", {}, 2**62)
def test_generate_text(family, prompt, options, count):
    lm = tiny(family)
    with a_right_answer_or_a_sentence(lm):
        found = generate_text(lm, prompt, num_return_sequences=count, **options)
        assert len([found] if isinstance(found, str) else found) == int(count)
        for text in [found] if isinstance(found, str) else found:
            assert text.startswith(prompt)


@MANY
@given(st.sampled_from(CAUSAL), texts, st.fixed_dictionaries(runs))
def test_stream_text(family, prompt, options):
    lm = tiny(family)
    with a_right_answer_or_a_sentence(lm):
        stream = stream_text(lm, prompt, **options)  # errors come with the call
        whole = prompt + "".join(stream)
        if options["seed"] is not None:
            assert whole == generate_text(lm, prompt, **options)


@MANY
@given(st.sampled_from(CAUSAL), texts, st.fixed_dictionaries(sampling))
def test_next_token_probabilities(family, text, options):
    lm = tiny(family)
    with a_right_answer_or_a_sentence(lm):
        choices = next_token_probabilities(lm, text, **options)
        assert len(choices) == len(lm.vocabulary)
        assert sum(choice.probability for choice in choices) == pytest.approx(1, abs=1e-4)
        assert float(options["temperature"]) >= checks.LOWEST_TEMPERATURE


@MANY
@given(
    st.sampled_from(MASKED),
    texts,
    st.one_of(st.just(5), numbers),
    st.one_of(
        st.none(), odd, st.lists(st.one_of(pieces, st.sampled_from(["cat", "dog"])), max_size=3)
    ),
)
@example("bert", "the [MASK] sat", 2, ["cat", "dog"])
@example("roberta", "the [MASK][MASK]\u0301 <mask>", 2, None)
def test_fill_mask(family, text, top_k, targets):
    lm = tiny(family)
    with a_right_answer_or_a_sentence(lm):
        found = fill_mask(lm, text, top_k, targets)
        blanks = text.replace("[MASK]", lm.tokenizer.mask_token).count(lm.tokenizer.mask_token)
        lists = [found] if blanks == 1 else found
        assert len(lists) == blanks
        for candidates in lists:
            shares = [candidate.probability for candidate in candidates]
            assert shares == sorted(shares, reverse=True)
            assert 0 <= min(shares) <= sum(shares) <= 1 + 1e-4
            assert len(shares) == min(
                int(top_k), len(lm.vocabulary) if targets is None else len(set(targets))
            )


@MANY
@given(st.sampled_from(["gpt2", "bert"]), odd)
def test_what_is_no_text_is_refused(family, value):
    lm = tiny(family)
    call = generate_text if family == "gpt2" else fill_mask
    with a_right_answer_or_a_sentence(lm):
        call(lm, value)
        assert isinstance(value, str)


@given(odd)
@MANY
def test_what_is_no_model_is_refused(value):
    for call in (generate_text, stream_text, next_token_probabilities, fill_mask):
        with pytest.raises(TypeError, match="The first argument must be a model from load_"):
            call(value, "the cat")


@FEW
@given(
    st.sampled_from([load_causal_lm, load_masked_lm]),
    st.one_of(texts, odd),
    st.one_of(st.none(), texts, odd),
)
def test_loaders(load, name, fallback):
    with pytest.raises((ModelNotAvailable, ValueError, TypeError)) as caught:
        load(name, fallback)
    assert_is_a_sentence(caught.value)


@FEW
@given(st.one_of(texts, numbers))
def test_devices(device):
    try:
        assert checkpoints.checked_device(device).type in ("cpu", "cuda", "mps")
    except ValueError as error:
        caught = error
    else:
        return
    assert str(caught).startswith("The device ")
    assert_is_a_sentence(caught)


@pytest.mark.parametrize(
    "number", [3, np.int64(3), np.uint8(3), np.array(3), torch.tensor(3)], ids=repr
)
def test_whole_numbers_of_every_kind_are_the_same(number):
    lm, plain = tiny("gpt2"), {"max_new_tokens": 3, "top_k": 3, "seed": 3}
    expected = generate_text(lm, "the cat", **plain)
    for name in plain:
        assert generate_text(lm, "the cat", **{**plain, name: number}) == expected
    assert len(fill_mask(tiny("bert"), "the [MASK]", top_k=number)) == 3


@pytest.mark.parametrize(
    "number",
    [
        1,
        1.0,
        np.float32(1),
        np.float16(1),
        np.longdouble(1),
        np.array(1.0),
        torch.tensor(1.0),
        Fraction(1),
    ],
    ids=repr,
)
def test_numbers_of_every_kind_are_the_same(number):
    lm = tiny("gpt2")
    expected = generate_text(lm, "the cat", 5, 1.0, seed=0)
    assert generate_text(lm, "the cat", 5, number, seed=0) == expected


# ---- long texts, many texts


@pytest.mark.parametrize("family", [*CAUSAL, *MASKED])
@pytest.mark.parametrize("unit", ["x", "the cat ", "😀", "\u202e", " "], ids=ascii)
def test_a_megabyte_is_refused_before_it_is_cut_into_tokens(family, unit, monkeypatch):
    lm, text = tiny(family), "[MASK]" + unit * (10**6 // len(unit.encode()))
    for method in ("__call__", "encode", "tokenize"):
        monkeypatch.setattr(type(lm.tokenizer), method, None)
    with pytest.raises(
        ValueError, match=r"The text has [\d,]+ characters.* reads at most \d+ tokens"
    ):
        (fill_mask if lm.kind == "masked" else generate_text)(lm, text)


@pytest.mark.parametrize("family", [*CAUSAL, *MASKED])
def test_a_full_context_works_and_one_token_more_is_explained(family):
    lm = tiny(family)
    call = next_token_probabilities if lm.kind == "causal" else fill_mask
    start, unit = ("the", " the") if lm.kind == "causal" else ("[MASK]", " the")
    own = start.replace("[MASK]", lm.tokenizer.mask_token or "")
    per_unit = len(lm.tokenizer(own + unit).input_ids) - len(lm.tokenizer(own).input_ids)
    room = lm.context - len(lm.tokenizer(own).input_ids)
    assert (per_unit, len(lm.tokenizer(own + unit * room).input_ids)) == (1, lm.context)
    assert call(lm, start + unit * room)
    with pytest.raises(
        ValueError, match=rf"The text has {lm.context + 1} tokens\. .* reads at most {lm.context}"
    ):
        call(lm, start + unit * (room + 1))


def test_more_texts_than_the_memory_holds(monkeypatch):
    lm = tiny("gpt2")
    with pytest.raises(
        ValueError, match=r"num_return_sequences must be a whole number from 1 to 10000, not 10001"
    ):
        generate_text(lm, "the cat", num_return_sequences=10_001)
    # this is what really runs out
    monkeypatch.setattr(lm.model, "forward", lambda *_, **__: torch.empty(2**60))
    with pytest.raises(
        ValueError, match=r"does not suffice to write 9 texts .* Write fewer at once"
    ):
        generate_text(lm, "the cat", num_return_sequences=9)
    monkeypatch.setattr(lm.model, "forward", lambda *_, **__: torch.ones(2) @ torch.ones(3))
    with pytest.raises(RuntimeError, match="inconsistent tensor size"):
        generate_text(lm, "the cat")


@given(st.one_of(texts, odd, st.integers()))
@MANY
def test_what_a_sentence_shows_of_a_value(value):
    assert len(shown(value)) <= 80
    assert shown(value).isprintable()


def test_a_warning_shows_signs_for_what_cannot_be_seen():
    lm = tiny("pocket-gpt2")
    with pytest.warns(UserWarning, match="has never seen") as caught:
        next_token_probabilities(lm, "Once upon \x1b[31mxylo\u202ephone")
    assert str(caught[0].message).isprintable()
    assert "\\u202e" in str(caught[0].message)


# ---- on the page


def assert_harmless(source):
    page = Page(source)
    assert not {"img", "script", "a", "iframe"} & set(page.tags)
    assert not {
        name for name in page.attributes if name.startswith("on") or name in ("src", "href")
    }
    return page.text


def htmls(widget):
    """All the HTML that a widget holds: at least a status and a view."""
    found = [
        it.value for it in controls(widget) if isinstance(it, (widgets.HTML, widgets.HTMLMath))
    ]
    assert len(found) >= 2
    return found


def pocket(name):
    """A bundled model under another name."""
    lm = (load_masked_lm if "bert" in name else load_causal_lm)(name)
    return LanguageModel(lm.model, lm.tokenizer, HOSTILE.partition("\x1b")[0])


def test_hostile_text_and_names_in_every_explorer():
    writer, filler = pocket("pocket-gpt2"), pocket("pocket-bert")
    explorers = [
        SamplingExplorer(writer, HOSTILE, max_new_tokens=3),
        FillMaskExplorer(filler, f"{HOSTILE} [MASK]"),
        ReadingExplorer(writer, filler, f"the [MASK] sat {HOSTILE} here"),
    ]
    explorers[0].write()
    explorers[0].several()
    for explorer in explorers:
        text = "".join(map(assert_harmless, htmls(explorer)))
        assert '<img src=x onerror="alert(1)">' in text
        assert "\x1b" not in text
        assert_harmless(explorer.still.html)


def test_hostile_text_from_the_model():
    said = "<img src=x onerror=alert(1)></script>\x1b[31m"
    lm, _ = scripted(tiny("gpt2"), f"{said} the cat")
    explorer = SamplingExplorer(
        lm, "a", top_k=1, max_new_tokens=len(tiny("gpt2").tokenizer(said).input_ids)
    )
    explorer.write()
    text = "".join(map(assert_harmless, htmls(explorer)))
    assert "a<img src=x onerror=alert(1)></script>⟨U+001B⟩[31m" in text


def test_a_hostile_file_name_in_an_error_on_the_page(tmp_path, monkeypatch):
    folder = tmp_path / "<img src=x onerror=alert(1)>\x1b[31m"
    folder.mkdir()
    (folder / "config.json").write_text("?")
    explorer = SamplingExplorer(load_causal_lm("pocket-gpt2"), "The")
    explorer.model.options = [*explorer.model.options, str(folder)]
    explorer.model.value = str(folder)
    assert "is missing or damaged" in assert_harmless(explorer.status.value)
    assert "\x1b" not in explorer.status.value
    assert explorer.model.value == "pocket-gpt2"


# ---- long use, interruptions


def test_moves_leave_nothing_behind():
    """Forty-five moves more leave not one object each, nor memory for a page each."""
    explorer = SamplingExplorer(load_causal_lm("pocket-gpt2"), "Once upon a time", max_new_tokens=5)

    def moves(n):
        """The objects and the bytes that there are after n moves, all from the same two texts."""
        explorer.temperature.value, explorer.top_k.value = 0.8, 50
        for prompt in ("Once upon a time, in the", "Once upon a time, in a"):
            explorer.prompt.value = prompt
            explorer.write()
        for i in range(n):
            explorer.temperature.value = 0.1 + 0.05 * (i % 38)
            explorer.top_k.value = 1 + i % 500
        gc.collect()
        return len(gc.get_objects()), tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        moves(50)
        before, after = moves(5), moves(50)
    finally:
        tracemalloc.stop()
    assert after[0] - before[0] < 20
    assert after[1] - before[1] < 45 * len(explorer.bars.value) / 2


def test_interrupting_the_kernel_in_the_middle_of_writing_leaves_the_explorer_usable(tmp_path):
    manager, client = start_new_kernel(cwd=str(tmp_path))

    def run(code, interrupt_at=None):
        """Run a cell, interrupting the kernel when the cell has printed so much; what it printed,
        how it ended.
        """
        request, printed, interrupted = client.execute(code), "", False
        deadline = time.monotonic() + 120
        while True:
            try:
                message = client.get_iopub_msg(timeout=1)
            except queue.Empty:
                assert time.monotonic() < deadline
                continue
            if message["parent_header"].get("msg_id") != request:
                continue
            printed += message["content"].get("text", "") if message["msg_type"] == "stream" else ""
            if interrupt_at and not interrupted and len(printed) >= interrupt_at:
                manager.interrupt_kernel()
                interrupted = True
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                replies = iter(lambda: client.get_shell_msg(timeout=60), None)
                reply = next(r for r in replies if r["parent_header"].get("msg_id") == request)[
                    "content"
                ]
                return printed, reply["status"], reply.get("ename")

    try:
        assert (
            run(
                "import asyncio\n"
                "from helpers.explorers import SamplingExplorer\n"
                "from helpers.models import load_causal_lm\n"
                "lm = load_causal_lm('pocket-gpt2')\n"
                "explorer = SamplingExplorer(lm, 'The', top_k=1, max_new_tokens=200)\n"
                "explorer._ended = False\n"
                "dot = lambda _: print('.', end='', flush=True)\n"
                "explorer.written.observe(dot, names='value')\n"
                # or it would end by itself
                "explorer.lm.model.generation_config.eos_token_id = None\n"
            )[1]
            == "ok"
        )
        printed, status, error = run("explorer.write()", interrupt_at=5)
        assert (status, error) == ("error", "KeyboardInterrupt")
        assert 5 <= len(printed) < 200
        check = (
            "explorer.written.unobserve_all()\n"
            "before = explorer.written.value\n"
            "assert explorer.step()\n"
            "assert explorer.written.value != before\n"
            "explorer.temperature.value = 0.35\n"
            "assert 'temperature 0.35' in explorer.status.value\n"
            "explorer.prompt.value = 'Once upon a time'\n"
            "explorer.write()\n"
            "assert len(explorer.written.value) > len(before)\n"
        )
        assert run(check)[1:] == ("ok", None)

        assert run("explorer._write_button.click()")[1] == "ok"  # this one writes between the cells
        manager.interrupt_kernel()
        assert run("await asyncio.sleep(0.2); explorer._stop()")[1] in (
            "ok",
            "error",
        )  # the interruption may hit it
        assert run("explorer._stop(); explorer.prompt.value = 'The'; assert explorer.step()")[
            1:
        ] == ("ok", None)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
