"""Properties of the public functions: equal to an independent reference, or a documented error
before any pass of a model.

The references: NumPy for the distribution of tokens and for the rulers, transformers' pipeline for
blanks, the law itself for its fit, a dynamic programme over whole strings for the edit distance.
"""

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import pipeline

from helpers.fill_mask import fill_mask, fill_masks
from helpers.generation import distribution, generate_text, kept_by, next_token_probabilities
from helpers.lab.abilities import (
    Answer,
    brier,
    edit_distance,
    exact_match,
    score,
    token_probability,
)
from helpers.lab.scaling import ScalingLaw, fit_power_law, predict_loss
from helpers.models import load_causal_lm
from tests.support.tiny_models import tiny

QUICK = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
words = st.lists(st.sampled_from(["the", "cat", "sat", "on", "mat", "dog", "not"]), max_size=6)
logits = st.lists(st.floats(-30, 30, width=32), min_size=2, max_size=12)
tokens = st.lists(st.integers(0, 3), min_size=1, max_size=5)
shares = st.floats(0, 1)


@QUICK
@given(logits, st.floats(0.05, 5), st.none() | st.integers(0, 14))
def test_a_distribution_is_numpys(scores, temperature, top_k):
    scores = np.array(scores, dtype=np.float64)
    x = np.exp((scores - scores.max()) / temperature)
    kept = np.ones(len(x), bool)
    if top_k:
        kept = scores >= np.sort(scores)[::-1][min(top_k, len(x)) - 1]
    found = distribution(torch.tensor(scores), temperature, top_k).numpy()
    np.testing.assert_allclose(found, np.where(kept, x, 0) / x[kept].sum(), atol=1e-6)
    np.testing.assert_array_equal(kept_by(torch.tensor(scores), top_k).numpy(), kept)


@QUICK
@given(words, st.floats(0.1, 3), st.integers(0, 9))
def test_chances_are_those_of_the_logits(context, temperature, top_k):
    lm, text = tiny("gpt2"), " ".join(["the", *context])
    with torch.no_grad():
        scores = lm.model(lm.tokenizer(text, return_tensors="pt").input_ids).logits[0, -1].numpy()
    x = np.exp((scores.astype(float) - scores.max()) / temperature)
    if top_k:
        x[scores < np.sort(scores)[-top_k]] = 0
    found = [p for _, p in next_token_probabilities(lm, text, temperature, top_k)]
    np.testing.assert_allclose(found, np.sort(x / x.sum())[::-1], atol=1e-5)


@QUICK
@given(
    words,
    st.integers(0, 2**63 - 1),
    st.floats(0.1, 3),
    st.integers(1, 99),
    st.floats(0.01, 1),
    st.integers(1, 8),
)
def test_a_text_is_that_of_transformers(context, seed, temperature, top_k, top_p, n):
    lm, text = tiny("gpt2"), " ".join(["the", *context])
    ids = lm.tokenizer(text, return_tensors="pt").input_ids
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        options = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
        mask = torch.ones_like(ids)
        theirs = lm.model.generate(
            ids, attention_mask=mask, do_sample=True, max_new_tokens=n, **options
        )
    ours = generate_text(lm, text, n, seed=seed, **options)
    assert ours == lm.tokenizer.decode(theirs[0], skip_special_tokens=True)


@QUICK
@given(words, words, st.integers(1, 7))
def test_blanks_are_those_of_the_pipeline(left, right, top_k):
    lm = tiny("bert")
    text = " ".join([*left, "[MASK]", *right])
    theirs = pipeline("fill-mask", model=lm.model, tokenizer=lm.tokenizer)(text, top_k=top_k)
    ours = fill_mask(lm, text, top_k)
    assert [c.token_id for c in ours] == [c["token"] for c in theirs]
    np.testing.assert_allclose(
        [c.probability for c in ours], [c["score"] for c in theirs], atol=1e-6
    )
    batch = fill_masks(lm, [text, "the [MASK]", f"{text} sat on"], top_k)[0]
    np.testing.assert_allclose(
        [c.probability for c in batch], [c.probability for c in ours], atol=1e-5
    )


@QUICK
@given(words)
def test_tokens_of_the_vocabulary_join_to_the_text(context):
    lm, text = load_causal_lm("pocket-gpt2"), " ".join(["The", *context])
    ids = lm.tokenizer(text, add_special_tokens=False).input_ids
    assert "".join(lm.vocabulary[i] for i in ids) == text


@QUICK
@given(st.floats(0, 2), st.floats(0.5, 20), st.floats(0.1, 0.9))
def test_a_fit_finds_the_law_that_made_the_points(floor, scale, alpha):
    x = np.array([1.0, 3, 10, 30, 100, 300])
    law = ScalingLaw(floor, scale, alpha)
    found = fit_power_law(x, predict_loss(law, x), floor=floor)
    np.testing.assert_allclose(predict_loss(found, x), predict_loss(law, x), rtol=2e-3)


@QUICK
@given(
    st.lists(st.floats(), max_size=6),
    st.lists(st.floats(), max_size=6),
    st.none() | st.floats(),
    st.integers(-1, 2),
)
def test_a_fit_or_a_sentence(x, loss, floor, n_bootstrap):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of SciPy at 1e300, as of any such fit
        try:
            law = fit_power_law(x, loss, floor, n_bootstrap)
        except (ValueError, TypeError) as error:
            caught = str(error)
        else:
            assert len(law.resampled) == n_bootstrap
            return
    assert caught.endswith(".")
    assert caught.isprintable()


def distance(a, b):
    """Levenshtein's, by its definition."""
    if not a or not b:
        return len(a) + len(b)
    change = distance(a[1:], b[1:]) + (a[0] != b[0])
    return min(change, distance(a[1:], b) + 1, distance(a, b[1:]) + 1)


@QUICK
@given(tokens, tokens, st.lists(shares, min_size=1, max_size=4))
def test_rulers(right, greedy, chances):
    given_answer = Answer(right, greedy, chances, [p**2 for p in chances])
    assert edit_distance(given_answer) == distance(right, greedy)
    assert exact_match(given_answer) == (right == greedy)
    mean = np.prod(np.array(chances, np.longdouble)) ** (np.longdouble(1) / len(chances))
    assert token_probability(given_answer) == pytest.approx(float(mean), abs=1e-9)
    assert brier(given_answer) == pytest.approx(np.mean([(1 - p) ** 2 for p in chances]), abs=1e-9)


@QUICK
@given(st.lists(st.booleans(), max_size=9))
def test_scores(answers):
    measured = [Answer([1], [int(right)], [], []) for right in answers]
    if not answers:
        with pytest.raises(ValueError, match="no answers"):
            score(measured, exact_match)
        return
    mean, error = score(measured, exact_match)
    assert mean == pytest.approx(np.mean(answers))
    if len(answers) > 1:
        assert error == pytest.approx(np.std(answers, ddof=1) / math.sqrt(len(answers)))
