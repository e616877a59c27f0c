"""Filling blanks, against transformers' own pipeline, on the four families of masked models and the
bundled one.
"""

import pytest
import torch
from transformers import pipeline

from helpers.fill_mask import fill_mask
from tests.support.tiny_models import MASKED, tiny

ONE = "the [MASK] sat on the mat."
FIRST = "[MASK] sat on the mat."
SEVERAL = "the [MASK] sat on the [MASK] and [MASK]."
pytestmark = pytest.mark.filterwarnings("ignore:.*has never seen")


@pytest.fixture(params=MASKED)
def lm(request):
    return tiny(request.param)


def reference(lm, text, **options):
    pipe = pipeline("fill-mask", model=lm.model, tokenizer=lm.tokenizer)
    return pipe(text.replace("[MASK]", lm.tokenizer.mask_token), **options)


def agree(candidates, rows):
    assert [c.token_id for c in candidates] == [row["token"] for row in rows]
    assert [c.probability for c in candidates] == pytest.approx(
        [row["score"] for row in rows], rel=1e-5
    )
    assert [c.token for c in candidates] == [row["token_str"].strip() for row in rows]
    return True


@pytest.mark.parametrize("text", [ONE, FIRST])
@pytest.mark.parametrize("top_k", [1, 5, 40])
def test_one_blank_is_filled_as_the_pipeline_does(lm, text, top_k):
    candidates, rows = fill_mask(lm, text, top_k=top_k), reference(lm, text, top_k=top_k)
    assert agree(candidates, rows)
    assert [c.text for c in candidates] == [row["sequence"] for row in rows]


def test_several_blanks_are_filled_as_the_pipeline_does(lm):
    results, rows = fill_mask(lm, SEVERAL, top_k=4), reference(lm, SEVERAL, top_k=4)
    assert len(results) == len(rows) == 3
    for candidates, expected in zip(results, rows, strict=True):
        assert agree(candidates, expected)


def test_each_text_shows_its_own_blank_filled(lm):
    texts = [
        candidates[0].text.replace(" .", ".")
        for candidates in fill_mask(lm, SEVERAL, targets=["cat"])
    ]
    assert texts == [
        "the cat sat on the [MASK] and [MASK].",
        "the [MASK] sat on the cat and [MASK].",
        "the [MASK] sat on the [MASK] and cat.",
    ]


def test_targets_are_scored_as_the_pipeline_does(lm):
    words = ["cat", "dog", "mat"]
    spelled = {"ByteLevel": "Ġ{}", "Metaspace": "▁{}"}
    decoder = type(lm.tokenizer.backend_tokenizer.decoder).__name__
    rows = reference(lm, ONE, targets=[spelled.get(decoder, "{}").format(word) for word in words])
    candidates = fill_mask(lm, ONE, targets=words)
    assert agree(candidates, rows)
    assert {c.token for c in candidates} == set(words)
    assert sum(c.probability for c in candidates) < 1  # shares of the whole vocabulary
    assert agree(fill_mask(lm, ONE, targets=words, top_k=2), rows[:2])
    assert fill_mask(lm, ONE, targets=["cat", "dog", "cat", "mat"]) == candidates


def test_probabilities_add_up_over_the_vocabulary(lm):
    everything = fill_mask(lm, ONE, top_k=lm.model.config.vocab_size)
    assert sum(c.probability for c in everything) == pytest.approx(1)
    assert len({c.token_id for c in everything}) == lm.model.config.vocab_size


def test_the_models_own_mask_token_is_understood(lm):
    assert fill_mask(lm, ONE.replace("[MASK]", lm.tokenizer.mask_token)) == fill_mask(lm, ONE)


def test_a_target_takes_the_space_before_the_blank():
    lm = tiny("roberta")
    spaced, bare = (lm.tokenizer.convert_tokens_to_ids(token) for token in ("Ġsat", "a"))
    assert fill_mask(lm, "the <mask> on", targets=["sat"])[0].token_id == spaced
    assert fill_mask(lm, "the <mask> on", targets=[" sat"])[0].token_id == spaced
    assert fill_mask(lm, "the <mask> on", targets=["Ġsat"])[0].token_id == spaced
    assert fill_mask(lm, "<mask> on", targets=["a"])[0].token_id == bare
    pocket = tiny("pocket-bert")
    the_other, the = (pocket.tokenizer.convert_tokens_to_ids(token) for token in ("Ġcat", "The"))
    assert fill_mask(pocket, "The [MASK] sat on the mat.", targets=["cat"])[0].token_id == the_other
    assert fill_mask(pocket, "[MASK] cat sat on the mat.", targets=["The"])[0].token_id == the


def test_a_piece_of_a_word_can_be_a_target():
    assert fill_mask(tiny("bert"), "the cat [MASK]", targets=["##ing"])[0].token == "##ing"


BAD = [
    ({"text": ""}, ValueError, "empty"),
    ({"text": 5}, TypeError, "must be a string"),
    ({"text": "the cat sat"}, ValueError, r"has no \[MASK\]"),
    ({"text": "the [mask] sat"}, ValueError, r"has no \[MASK\]"),
    ({"text": "the [MASK] \udc00"}, ValueError, "half a character"),
    ({"text": "[MASK] " + "the " * 300}, ValueError, "reads at most"),
    ({"top_k": 0}, ValueError, "top_k must be a whole number from 1"),
    ({"top_k": 1.5}, TypeError, "top_k must be a whole number"),
    ({"top_k": None}, TypeError, "top_k must be a whole number"),
    ({"top_k": True}, TypeError, "top_k must be a whole number"),
    ({"targets": []}, ValueError, "targets is empty"),
    ({"targets": "cat"}, TypeError, "must be a list of words"),
    ({"targets": [3]}, TypeError, "must be a list of words"),
    ({"targets": [""]}, ValueError, "empty"),
    ({"targets": ["cat", "xylophone"]}, ValueError, "'xylophone' is not one token"),
    ({"lm": "bert-base-uncased"}, TypeError, "must be a model from load_masked_lm"),
    ({"lm": tiny("gpt2")}, ValueError, "This needs a masked one"),
    ({"lm": tiny("pocket-gpt2")}, ValueError, "This needs a masked one"),
]


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"), BAD, ids=lambda value: repr(value)[:40]
)
def test_bad_input_gets_a_sentence_before_the_model_runs(
    lm, monkeypatch, arguments, error, sentence
):
    monkeypatch.setattr(type(lm.model), "forward", None)
    with pytest.raises(error, match=sentence):
        fill_mask(**{"lm": lm, "text": ONE} | arguments)


def test_an_unknown_target_is_not_replaced_by_the_unknown_token():
    with pytest.raises(ValueError, match="'日' is not one token"):
        fill_mask(tiny("bert"), ONE, targets=["日"])


def test_a_top_k_above_the_vocabulary_says_so(lm):
    with pytest.warns(UserWarning, match="tokens of the vocabulary: all come"):
        everything = fill_mask(lm, ONE, top_k=10**6)
    assert len(everything) == lm.model.config.vocab_size


def test_the_context_can_be_filled_to_the_last_token(lm):
    added = len(lm.tokenizer(lm.tokenizer.mask_token).input_ids) - 1
    text = "[MASK]" + " the" * (lm.context - added - 1)
    assert (
        len(lm.tokenizer(text.replace("[MASK]", lm.tokenizer.mask_token)).input_ids) == lm.context
    )
    assert len(fill_mask(lm, text)) == 5
    with pytest.raises(ValueError, match="reads at most"):
        fill_mask(lm, text + " the")


@pytest.mark.filterwarnings("default")
def test_words_new_to_the_bundled_model_are_named():
    with pytest.warns(UserWarning, match="has never seen: xylophone\\."):
        fill_mask(tiny("pocket-bert"), "The xylophone saw a [MASK].")


def test_no_randomness(lm):
    torch.manual_seed(0)
    assert fill_mask(lm, ONE) == fill_mask(lm, ONE)


@pytest.mark.parametrize(
    ("family", "kind"),
    [
        ("bert", "WordPiece"),
        ("distilbert", "WordPiece"),
        ("roberta", "BPE"),
        ("albert", "Unigram"),
    ],
)
def test_each_family_brings_its_own_kind_of_tokenizer(family, kind):
    backend = tiny(family).tokenizer.backend_tokenizer
    assert type(backend.model).__name__ == kind
    assert ("ByteLevel" in str(backend.pre_tokenizer)) == (family == "roberta")


def test_targets_for_several_blanks_are_scored_as_the_pipeline_does(lm):
    words = ["cat", "mat"]
    spelled = {"ByteLevel": "Ġ", "Metaspace": "▁"}.get(
        type(lm.tokenizer.backend_tokenizer.decoder).__name__, ""
    )
    rows = reference(lm, SEVERAL, targets=[spelled + word for word in words])
    for candidates, expected in zip(fill_mask(lm, SEVERAL, targets=words), rows, strict=True):
        assert agree(candidates, expected)


def test_the_pipeline_itself_loses_the_space_before_a_target():
    """What `fill_mask` is for: the pipeline scores another token than the word that would stand
    there.
    """
    lm = tiny("roberta")
    (row,) = reference(lm, "the [MASK] on", targets=["sat"])
    (candidate,) = fill_mask(lm, "the [MASK] on", targets=["sat"])
    assert lm.tokenizer.convert_ids_to_tokens([candidate.token_id]) == ["Ġsat"]
    assert row["token"] != candidate.token_id
    assert candidate.text == "the sat on"
    assert row["sequence"] != candidate.text
