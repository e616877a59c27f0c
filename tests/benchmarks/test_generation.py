"""What `generate_text` costs beside the bare `model.generate`, for one text and for eight.

The model has the pocket model's shape and random weights: nearly every text then runs to its full
length.
"""

import math

import pytest
import torch
from transformers import GPT2LMHeadModel

from helpers.generation import generate_text
from helpers.lab import pocketweb
from helpers.models import LanguageModel, load_causal_lm

PROMPT = "Once upon a time, in a small village"
NEW_TOKENS = 100


@pytest.fixture(scope="module")
def lm():
    pocket = load_causal_lm("pocket-gpt2")
    torch.manual_seed(0)
    return LanguageModel(GPT2LMHeadModel(pocket.model.config), pocket.tokenizer, "random")


def write(lm, n):
    return generate_text(
        lm,
        PROMPT,
        max_new_tokens=NEW_TOKENS,
        temperature=0.8,
        top_k=50,
        seed=0,
        num_return_sequences=n,
    )


def forward_passes(lm, call):
    count = []
    hook = lm.model.register_forward_hook(lambda *_: count.append(1))
    call()
    hook.remove()
    return len(count)


@pytest.mark.parametrize("n", [1, 8])
def test_generate_text_against_bare_generate(n, lm, medians, report):
    inputs = lm.tokenizer(PROMPT, return_tensors="pt")

    def bare():
        torch.manual_seed(0)
        ids = lm.model.generate(
            **inputs,
            max_new_tokens=NEW_TOKENS,
            do_sample=True,
            temperature=0.8,
            top_k=50,
            num_return_sequences=n,
            pad_token_id=lm.tokenizer.eos_token_id,
        )
        return lm.tokenizer.batch_decode(ids)

    def ours():
        return write(lm, n)

    assert forward_passes(lm, ours) == forward_passes(lm, bare) == NEW_TOKENS
    seconds, bare_seconds = medians(ours, bare, rounds=31)
    ratio, texts = seconds / bare_seconds, f"{n} text{'s'[: n - 1]} of {NEW_TOKENS} tokens"
    report(f"{texts}: {seconds * 1e3:.0f} ms, {ratio:.3f} x model.generate (at most 1.05)")
    assert ratio <= 1.05


def test_no_story_ends_within_the_default_search(report):
    """What notebook 05 says of a story also holds for the 200,000 that a search may grow."""
    found = pocketweb.likeliest("Once upon a time")
    report(f"no whole story has a chance above {math.exp(found.log_prob):.1e}")
    assert found.tokens is None
    assert found.grown == pocketweb.MOST_GROWN
