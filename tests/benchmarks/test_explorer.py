"""A slider must follow the hand: from its callback to the new HTML, at GPT-2's size, beside one
forward pass.

The model has the shape of gpt2 (124M parameters, 50,257 tokens) and random weights; times are the
same.
"""

import itertools
import statistics
import time

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from helpers.explorers import SamplingExplorer
from helpers.generation import encode
from helpers.models import LanguageModel

PROMPT = "Once upon a time, in a small village"
END = "<|endoftext|>"


@pytest.fixture(scope="module")
def lm():
    config = GPT2Config()
    tokens = [END, *sorted(pre_tokenizers.ByteLevel.alphabet()), "Ġt"]
    tokens += [f"Ġword{i}" for i in range(config.vocab_size - len(tokens))]
    ids = {token: i for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=[("Ġ", "t")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=END, eos_token=END)
    torch.manual_seed(0)
    return LanguageModel(GPT2LMHeadModel(config), fast, "random")


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


@pytest.mark.parametrize(("knob", "values"), [("temperature", (0.3, 1.7)), ("top_k", (5, 40_000))])
def test_slider_move_against_a_forward_pass(lm, knob, values, report):
    explorer = SamplingExplorer(lm, PROMPT)
    ids = encode(lm, PROMPT)
    moves, passes, views = [], [], []
    for value in itertools.islice(itertools.cycle(values), 60):
        moves.append(seconds(lambda value=value: setattr(getattr(explorer, knob), "value", value)))
        views.append(explorer.bars.value)
        if len(moves) % 4 == 0:
            with torch.no_grad():
                passes.append(seconds(lambda: lm.model(ids)))
    assert len(set(views)) == 2  # every move has drawn
    slow, forward = statistics.quantiles(moves, n=20)[-1], statistics.median(passes)
    report(
        f"{knob} slider: {slow * 1e3:.2f} ms at the 95th percentile (at most 10), "
        f"1/{forward / slow:.0f} of a forward pass (at most 1/20)"
    )
    assert slow <= 0.010
    assert slow <= forward / 20
