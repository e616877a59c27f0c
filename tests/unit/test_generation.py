"""Writing, against independent references: transformers' own generation, its own samplers, and
counted draws.
"""

import itertools
import math
import threading

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from helpers.generation import (
    distribution,
    encode,
    generate_text,
    kept_by,
    next_token_probabilities,
    stream_text,
)
from tests.support.scripted import scripted
from tests.support.tiny_models import CAUSAL, tiny

PROMPT = "Once upon a time"
pytestmark = [
    pytest.mark.filterwarnings(f"ignore:.*{said}") for said in ("has never seen", "cuts nothing")
]


@pytest.fixture(scope="module")
def lm():
    return tiny("gpt2")


def entropy(probabilities):
    return -sum(p * math.log(p) for p in probabilities if p > 0)


# ---- against references


@pytest.mark.parametrize("family", CAUSAL)
def test_greedy_is_the_argmax_at_every_step(family):
    lm = tiny(family)
    ids = lm.tokenizer(PROMPT, return_tensors="pt").input_ids
    n_prompt = ids.shape[1]
    generated = lm.model.generate(
        ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=12, pad_token_id=0
    )
    with torch.no_grad():
        for _ in range(12):  # without the cache
            ids = torch.cat([ids, lm.model(ids).logits[:, -1:].argmax(-1)], dim=1)
    assert ids[0, : generated.shape[1]].tolist() == generated[0].tolist()
    text = generate_text(lm, PROMPT, max_new_tokens=12, do_sample=False)
    assert lm.tokenizer.decode(generated[0], skip_special_tokens=True) == text
    assert encode(lm, PROMPT).shape[1] == n_prompt


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"),
    [(1.0, 0, 1.0), (0.7, 12, 1.0), (1.5, 3, 1.0), (1.0, 0, 0.6), (1.5, 12, 0.9)],
)
@pytest.mark.parametrize("family", CAUSAL)
def test_the_draws_are_those_of_transformers_own_generate(family, temperature, top_k, top_p, count):
    lm = tiny(family)
    ids = lm.tokenizer(PROMPT, return_tensors="pt").input_ids
    settings = {"max_new_tokens": 12, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    settings["num_return_sequences"] = count
    torch.manual_seed(3)
    rows = lm.model.generate(
        ids, attention_mask=torch.ones_like(ids), do_sample=True, pad_token_id=0, **settings
    )
    expected = [lm.tokenizer.decode(row, skip_special_tokens=True) for row in rows]
    texts = generate_text(lm, PROMPT, seed=3, **settings)
    assert ([texts] if count == 1 else texts) == expected


def test_what_the_model_would_add_to_the_knobs_plays_no_part(lm, monkeypatch):
    """Both functions read the bare logits, whatever a model's own settings hold."""
    options = {"max_new_tokens": 12, "seed": 1}
    plain = generate_text(lm, PROMPT, **options)
    monkeypatch.setattr(lm.model.generation_config, "repetition_penalty", 5.0)
    assert generate_text(lm, PROMPT, **options) == plain
    assert PROMPT + "".join(stream_text(lm, PROMPT, **options)) == plain


@pytest.mark.parametrize("temperature", [0.3, 1.0, 1.7])
@pytest.mark.parametrize("top_k", [0, 1, 2, 5, 49, 50, 1000])
@pytest.mark.parametrize("top_p", [1e-9, 0.001, 0.3, 0.9, 0.999, 1.0])
def test_distribution_is_that_of_transformers_ties_included(temperature, top_k, top_p):
    random = torch.Generator().manual_seed(top_k)
    for logits in (
        torch.randn(50, generator=random) * 3,
        torch.randint(0, 4, (50,), generator=random).float(),  # many ties
        torch.ones(50),
    ):
        scores = TemperatureLogitsWarper(temperature)(None, logits[None])
        scores = TopKLogitsWarper(top_k)(None, scores) if top_k else scores
        cut = TopPLogitsWarper(top_p)(None, scores)[0]
        knobs = temperature, top_k, top_p
        probabilities = distribution(logits, *knobs)
        assert torch.equal(probabilities, cut.softmax(-1))
        assert torch.equal(kept_by(logits / temperature, top_k, top_p), cut > -math.inf)
        rows = torch.stack([logits, logits.flip(0)])
        assert torch.equal(distribution(rows, *knobs)[0], probabilities)


def test_no_top_k_keeps_the_whole_vocabulary():
    logits = torch.tensor([3.0, 0.0, -50.0])
    for top_k in (None, 0):
        assert kept_by(logits, top_k).all()
        assert torch.equal(distribution(logits, 0.7, top_k), (logits / 0.7).softmax(-1))


def test_top_p_keeps_as_few_as_hold_the_share():
    """By the definition, in another way: walk down from the likeliest until the share is held."""
    random = torch.Generator().manual_seed(1)
    for temperature, top_k, top_p in itertools.product((0.5, 1.0, 2.0), (0, 7), (0.2, 0.6, 0.95)):
        logits = 3 * torch.randn(40, generator=random, dtype=torch.float64)
        chances = distribution(logits, temperature, top_k).tolist()
        expected, held = set(), 0.0
        for i in sorted(range(40), key=lambda i: -chances[i]):
            if held < top_p:
                expected.add(i)
                held += chances[i]
        kept = kept_by(logits / temperature, top_k, top_p)
        assert set(kept.nonzero().flatten().tolist()) == expected


def test_temperature_moves_the_set_of_top_p_and_not_that_of_top_k():
    logits = torch.tensor([2.0, 1.0, 0.0])
    for temperature, of_top_p in ((0.5, 1), (1.0, 2), (2.0, 3)):
        assert kept_by(logits / temperature, top_p=0.85).sum() == of_top_p
        assert kept_by(logits / temperature, top_k=2).sum() == 2


def test_next_token_probabilities_cover_the_vocabulary_in_order(lm):
    logits = lm.model(encode(lm, PROMPT)).logits[0, -1].detach()
    scores = TopKLogitsWarper(7)(None, TemperatureLogitsWarper(0.8)(None, logits[None]))[0]
    choices = next_token_probabilities(lm, PROMPT, temperature=0.8, top_k=7)
    uncut = next_token_probabilities(lm, PROMPT, temperature=0.8)
    assert len(choices) == len(lm.vocabulary) == len(logits)
    assert [c.token for c in choices] == [c.token for c in uncut]
    assert [c.probability for c in uncut] == sorted((c.probability for c in uncut), reverse=True)
    assert sorted(c.probability for c in choices) == pytest.approx(
        sorted(scores.softmax(-1).tolist())
    )
    assert [c.probability > 0 for c in choices] == [True] * 7 + [False] * (len(choices) - 7)
    assert choices[0].token == lm.vocabulary[logits.argmax()]
    assert sum(c.probability for c in uncut) == pytest.approx(1)


@pytest.mark.parametrize(("temperature", "top_k"), [(1.0, None), (0.7, 12), (1.5, 3)])
def test_draws_come_as_often_as_they_should(lm, temperature, top_k):
    draws, settings = 3000, {"temperature": temperature, "top_k": top_k}
    texts = generate_text(
        lm, PROMPT, max_new_tokens=1, num_return_sequences=draws, seed=5, **settings
    )
    observed = [text.removeprefix(PROMPT) for text in texts]
    expected = {}
    logits = lm.model(encode(lm, PROMPT)).logits[0, -1].detach()
    for i, p in enumerate(distribution(logits, **settings).tolist()):
        text = lm.tokenizer.decode([i], skip_special_tokens=True)
        expected[text] = expected.get(text, 0.0) + p * draws
    assert all(expected[text] > 0 for text in observed)
    large = [text for text, count in expected.items() if count >= 5]
    counts = [observed.count(text) for text in large]
    rest = draws - sum(counts), draws - sum(expected[text] for text in large)
    counts, wanted = ([*counts, rest[0]], [*(expected[text] for text in large), rest[1]])
    if wanted[-1] < 5:  # too few for a bin of its own: add them to the last one
        counts, wanted = (
            [*counts[:-2], counts[-2] + counts[-1]],
            [*wanted[:-2], wanted[-2] + wanted[-1]],
        )
    assert len(counts) >= 2
    assert chisquare(counts, wanted).pvalue > 1e-3


def test_top_k_1_is_greedy(lm):
    greedy = generate_text(lm, PROMPT, max_new_tokens=20, do_sample=False)
    assert generate_text(lm, PROMPT, max_new_tokens=20, top_k=1, temperature=3.0, seed=1) == greedy
    assert generate_text(lm, PROMPT, max_new_tokens=20, top_k=2, temperature=3.0, seed=1) != greedy


def test_entropy_rises_with_temperature(lm):
    at = [
        entropy(c.probability for c in next_token_probabilities(lm, PROMPT, t))
        for t in (0.2, 0.5, 1, 2, 10)
    ]
    assert all(low + 0.01 < high for low, high in itertools.pairwise(at))
    assert at[-1] < math.log(len(lm.vocabulary))


def test_low_temperature_is_nearly_greedy_and_high_is_not(lm):
    greedy = generate_text(lm, PROMPT, max_new_tokens=10, do_sample=False)
    assert (
        generate_text(lm, PROMPT, max_new_tokens=10, temperature=0.001, top_k=None, seed=3)
        == greedy
    )
    assert generate_text(lm, PROMPT, max_new_tokens=10, temperature=5, top_k=None, seed=3) != greedy


# ---- seeds


def test_a_seed_repeats_the_text_and_another_gives_another(lm):
    texts = [generate_text(lm, PROMPT, max_new_tokens=12, seed=seed) for seed in (0, 1, 2, 0)]
    assert texts[0] == texts[3]
    assert len(set(texts)) == 3


def test_a_seed_leaves_the_random_numbers_alone(lm):
    torch.manual_seed(1)
    untouched = torch.rand(3).tolist()
    torch.manual_seed(1)
    generate_text(lm, PROMPT, max_new_tokens=3, seed=7)
    "".join(stream_text(lm, PROMPT, max_new_tokens=3, seed=7))
    assert torch.rand(3).tolist() == untouched


def test_without_a_seed_pytorch_decides(lm):
    def write():
        return generate_text(lm, PROMPT, max_new_tokens=12), "".join(
            stream_text(lm, PROMPT, max_new_tokens=12)
        )

    torch.manual_seed(1)
    first, second = write(), write()
    torch.manual_seed(1)
    assert write() == first
    assert second != first


# ---- streaming

SETTINGS = [
    {},
    {"temperature": 1.0, "top_k": None},
    {"temperature": 3.0, "top_k": 0},
    {"top_k": 3},
    {"do_sample": False},
    {"max_length": 17},
]


@pytest.mark.parametrize("family", CAUSAL)
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_pieces_join_to_the_text(family, settings):
    lm = tiny(family)
    for seed in range(3):
        options = {"max_new_tokens": 15, "seed": seed, **settings}
        pieces = list(stream_text(lm, PROMPT, **options))
        assert PROMPT + "".join(pieces) == generate_text(lm, PROMPT, **options)
        assert all(pieces)


def test_a_character_of_several_tokens_comes_in_one_piece(lm):
    said = " é, 😀 and 村\ufffd."
    script, tokens = scripted(lm, said)
    assert len(tokens) > len(said)
    pieces = list(stream_text(script, "a", max_new_tokens=len(tokens), do_sample=False))
    assert "".join(pieces) == said
    assert [p for p in pieces if "\ufffd" in p] == ["\ufffd."]
    assert {"é", "😀", "村"} <= set("".join(pieces))


def test_a_character_cut_off_by_the_limit_ends_the_stream(lm):
    script, tokens = scripted(lm, " 😀")
    pieces = list(stream_text(script, "a", max_new_tokens=len(tokens) - 1, do_sample=False))
    assert "".join(pieces) == lm.tokenizer.decode(tokens[:-1])
    assert pieces[-1].endswith("\ufffd")


def test_nothing_runs_on_when_the_reader_stops(lm):
    script, tokens = scripted(lm, " the cat sat on the mat")
    threads = threading.active_count()
    pieces = stream_text(script, "a", max_new_tokens=len(tokens), do_sample=False)
    assert script.model.read == 0  # nothing is computed before it is asked for
    next(pieces)
    assert script.model.read == 1
    pieces.close()
    assert script.model.read == 1
    assert threading.active_count() == threads


def test_nothing_is_computed_after_the_end(lm):
    script, tokens = scripted(lm, " the cat sat on the mat")
    script.model.generation_config.eos_token_id = tokens[3]
    pieces = list(stream_text(script, "a", max_new_tokens=len(tokens), do_sample=False))
    assert "".join(pieces) == lm.tokenizer.decode(tokens[:3])
    assert script.model.read == 4


# ---- lengths, ends, prompts


def test_an_end_token_ends_the_text_and_is_not_shown(lm, monkeypatch):
    whole = list(stream_text(lm, PROMPT, max_new_tokens=8, do_sample=False))
    ids = encode(lm, PROMPT)
    tokens = lm.model.generate(
        ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=8, pad_token_id=0
    )[0, ids.shape[1] :].tolist()
    end = tokens[5]
    first = tokens.index(end)
    for ends in (end, [end, 0]):
        monkeypatch.setattr(lm.model.generation_config, "eos_token_id", ends)
        text = generate_text(lm, PROMPT, max_new_tokens=8, do_sample=False)
        assert text == PROMPT + lm.tokenizer.decode(tokens[:first])
        assert text == PROMPT + "".join(stream_text(lm, PROMPT, max_new_tokens=8, do_sample=False))
        assert len(text) < len(PROMPT + "".join(whole))


def test_texts_that_end_at_different_places_come_without_padding(lm, monkeypatch):
    likely = lm.vocabulary.index(next_token_probabilities(lm, PROMPT)[0].token)
    monkeypatch.setattr(lm.model.generation_config, "eos_token_id", likely)
    texts = generate_text(lm, PROMPT, max_new_tokens=6, num_return_sequences=20, seed=0, top_k=None)
    assert PROMPT in texts
    assert len({len(text) for text in texts}) > 2
    assert all("<|endoftext|>" not in text for text in texts)


def test_max_length_counts_the_prompt_and_decides(lm):
    n_prompt = encode(lm, PROMPT).shape[1]
    long = generate_text(lm, PROMPT, max_length=n_prompt + 5, max_new_tokens=40, do_sample=False)
    assert long == generate_text(lm, PROMPT, max_new_tokens=5, do_sample=False)


@pytest.mark.parametrize("family", CAUSAL)
@pytest.mark.parametrize(
    "prompt", ["Once  upon", " a", "a ", "cat\n", "naïve 😀", "\x00", "<|endoftext|> a", "مرحبا"]
)
def test_the_prompt_stays_as_typed(family, prompt):
    assert generate_text(tiny(family), prompt, max_new_tokens=3, seed=0).startswith(prompt)
    assert prompt + "".join(
        stream_text(tiny(family), prompt, max_new_tokens=3, seed=0)
    ) == generate_text(tiny(family), prompt, max_new_tokens=3, seed=0)


def test_the_context_can_be_filled_to_the_last_token(lm):
    prompt = "a" * 60
    assert encode(lm, prompt).shape[1] == 60
    text = generate_text(lm, prompt, max_new_tokens=4, do_sample=False)
    assert text == prompt + "".join(stream_text(lm, prompt, max_length=64, do_sample=False))
    assert len(next_token_probabilities(lm, "a" * 64)) == len(lm.vocabulary)
    with pytest.raises(ValueError, match="Set max_new_tokens to at most 4"):
        generate_text(lm, prompt, max_new_tokens=5)
    with pytest.raises(ValueError, match="Shorten the prompt"):
        generate_text(lm, "a" * 64, max_new_tokens=1)
    with pytest.raises(ValueError, match="65 tokens"):
        next_token_probabilities(lm, "a" * 65)


def test_several_texts_come_as_a_list(lm):
    texts = generate_text(lm, PROMPT, max_new_tokens=6, num_return_sequences=3, seed=0)
    assert len(set(texts)) == 3
    assert all(text.startswith(PROMPT) for text in texts)


# ---- bad input

BAD = [
    ({"prompt": ""}, ValueError, "empty"),
    ({"prompt": None}, TypeError, "must be a string"),
    ({"prompt": b"a"}, TypeError, "must be a string"),
    ({"prompt": "a\ud800"}, ValueError, "half a character"),
    ({"prompt": "a" * 65}, ValueError, "reads at most 64"),
    ({"temperature": 0}, ValueError, "use do_sample=False"),
    ({"temperature": 0.0}, ValueError, "use do_sample=False"),
    ({"temperature": 1e-9}, ValueError, "use do_sample=False"),
    ({"temperature": -1}, ValueError, "at least 0.001, such as 0.8, not -1.0"),
    ({"temperature": math.nan}, ValueError, "finite"),
    ({"temperature": math.inf}, ValueError, "finite"),
    ({"temperature": 10**400}, ValueError, "finite"),
    ({"temperature": "0.8"}, TypeError, "temperature must be a number, not '0.8'"),
    ({"temperature": None}, TypeError, "temperature must be a number"),
    ({"temperature": True}, TypeError, "temperature must be a number"),
    ({"temperature": np.array([0.8])}, TypeError, "temperature must be a number"),
    ({"temperature": 1j}, TypeError, "temperature must be a number"),
    ({"top_k": -1}, ValueError, "top_k must be a whole number from 0"),
    ({"top_k": 2.5}, TypeError, "top_k must be a whole number, not 2.5"),
    ({"top_k": 50.0}, TypeError, "top_k must be a whole number"),
    ({"top_k": False}, TypeError, "top_k must be a whole number"),
    ({"top_k": "5"}, TypeError, "top_k must be a whole number"),
    ({"top_p": 0}, ValueError, "top_p must be a number above 0 and at most 1, not 0.0"),
    ({"top_p": -0.1}, ValueError, "top_p must be a number above 0 and at most 1"),
    ({"top_p": 1.01}, ValueError, "top_p must be a number above 0 and at most 1"),
    ({"top_p": 90}, ValueError, "top_p must be a number above 0 and at most 1, not 90.0"),
    ({"top_p": math.nan}, ValueError, "top_p must be a number above 0 and at most 1, not nan"),
    ({"top_p": math.inf}, ValueError, "top_p must be a number above 0 and at most 1, not inf"),
    ({"top_p": "0.9"}, TypeError, "top_p must be a number, not '0.9'"),
    ({"top_p": True}, TypeError, "top_p must be a number"),
    ({"top_p": [0.9]}, TypeError, "top_p must be a number"),
    ({"top_p": 0.9, "do_sample": False}, ValueError, "leave top_p out, or draw"),
    ({"max_new_tokens": 0}, ValueError, "max_new_tokens must be a whole number from 1"),
    ({"max_new_tokens": 1.0}, TypeError, "max_new_tokens must be a whole number"),
    ({"max_new_tokens": None}, TypeError, "max_new_tokens must be a whole number"),
    ({"max_new_tokens": 10**30}, ValueError, "max_new_tokens must be a whole number"),
    ({"max_new_tokens": 64}, ValueError, "Set max_new_tokens to at most"),
    ({"max_length": 2}, ValueError, "includes the prompt's"),
    ({"max_length": 65}, ValueError, "Set max_new_tokens to at most"),
    ({"max_length": "9"}, TypeError, "max_length must be a whole number"),
    ({"do_sample": "no"}, TypeError, "do_sample must be True or False"),
    ({"do_sample": None}, TypeError, "do_sample must be True or False"),
    ({"do_sample": False, "temperature": "hot"}, TypeError, "temperature must be a number"),
    ({"do_sample": False, "top_k": 1.5}, TypeError, "top_k must be a whole number"),
    ({"seed": -1}, ValueError, "seed must be a whole number from 0"),
    ({"seed": 0.5}, TypeError, "seed must be a whole number"),
    ({"seed": 2**80}, ValueError, "seed must be a whole number"),
    ({"lm": "gpt2"}, TypeError, "must be a model from load_causal_lm"),
    ({"lm": tiny("bert")}, ValueError, "This needs a causal one"),
]


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"), BAD, ids=lambda value: repr(value)[:40]
)
def test_bad_input_gets_a_sentence_before_the_model_runs(
    lm, monkeypatch, arguments, error, sentence
):
    monkeypatch.setattr(type(lm.model), "forward", None)  # any use of it would be another error
    call = {"lm": lm, "prompt": PROMPT} | arguments
    for function in (generate_text, stream_text):
        with pytest.raises(error, match=sentence):
            function(**call)
    if arguments.keys() <= {"lm", "prompt", "temperature", "top_k", "top_p"}:
        call["text"] = call.pop("prompt")
        with pytest.raises(error, match=sentence):
            next_token_probabilities(**call)


@pytest.mark.parametrize(
    ("count", "error"), [(0, ValueError), (-2, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_bad_numbers_of_texts(lm, count, error):
    with pytest.raises(error, match="num_return_sequences"):
        generate_text(lm, PROMPT, num_return_sequences=count)


def test_several_greedy_texts_are_refused(lm):
    with pytest.raises(ValueError, match="do_sample=False"):
        generate_text(lm, PROMPT, num_return_sequences=2, do_sample=False)


@pytest.mark.parametrize(
    "one", [1, 1.0, np.float32(1), np.int64(1), torch.tensor(1), torch.tensor(1.0)], ids=repr
)
def test_any_number_works_as_a_temperature(lm, one):
    assert generate_text(lm, PROMPT, 5, temperature=one, seed=0) == generate_text(
        lm, PROMPT, 5, 1.0, seed=0
    )


@pytest.mark.parametrize("kind", [np.int32, np.uint8, torch.tensor])
def test_any_whole_number_works(lm, kind):
    five = kind(5)
    assert generate_text(lm, PROMPT, five, top_k=five, seed=five) == generate_text(
        lm, PROMPT, 5, top_k=5, seed=5
    )


def test_greedy_ignores_the_knobs(lm):
    greedy = generate_text(lm, PROMPT, 5, do_sample=False)
    assert generate_text(lm, PROMPT, 5, temperature=0, top_k=-1, do_sample=False) == greedy


def test_a_top_k_above_the_vocabulary_says_so(lm):
    with pytest.warns(UserWarning, match="cuts nothing: the vocabulary has"):
        text = generate_text(lm, PROMPT, 5, top_k=10**6, seed=0)
    assert text == generate_text(lm, PROMPT, 5, top_k=None, seed=0)


@pytest.mark.filterwarnings("default")
def test_warnings_point_at_the_callers_line(lm):
    for call in (generate_text, stream_text, next_token_probabilities):
        with pytest.warns(UserWarning, match="cuts nothing") as warned:
            call(lm, PROMPT, top_k=10**6)
        assert [warning.filename for warning in warned] == [__file__]


def test_a_checkpoints_own_habits_play_no_part(tmp_path):
    from helpers.models import load_causal_lm
    from tests.support.tiny_models import save_tiny

    plain = load_causal_lm(save_tiny("gpt2", tmp_path / "plain"))
    save_tiny("gpt2", tmp_path / "habits")
    (tmp_path / "habits" / "generation_config.json").write_text(
        '{"do_sample": true, "top_p": 0.1, "temperature": 0.2, '
        '"repetition_penalty": 9.0, "eos_token_id": 0}'
    )
    habits = load_causal_lm(tmp_path / "habits")
    options = {"max_new_tokens": 12, "seed": 4}
    assert generate_text(habits, PROMPT, **options) == generate_text(plain, PROMPT, **options)
    assert habits.model.generation_config.eos_token_id == 0


@pytest.mark.filterwarnings("default")
def test_words_new_to_a_pocket_model_are_named_once_per_call():
    lm = tiny("pocket-gpt2")
    for call in (generate_text, next_token_probabilities, stream_text):
        with pytest.warns(UserWarning, match="has never seen: chatbots, xylophone\\.") as warned:
            call(lm, "Once upon a time, chatbots and a xylophone and a xylophone")
        assert len(warned) == 1
