"""Pre-training while a reader waits: how near the floor after half a minute and more, and how fast
the loop is.

The rival of the loop is a GPT in plain PyTorch, written here: same shape, same documents, tied
head, fused attention and fused AdamW, and nothing else around it. It reads a step as most loops do,
as one padded batch.
"""

import random
import statistics
import time

import nbformat
import pytest
import torch
from torch import nn
from torch.nn import functional

from helpers.lab import pocketweb
from helpers.lab.architecture import CONTEXT, build_model, build_tokenizer
from helpers.lab.batches import Batches
from helpers.lab.evaluation import gap_to_floor, unseen
from helpers.lab.pretraining import pretrain
from tests.support.notebook_plugin import ROOT

NOTEBOOK = ROOT / "notebooks" / "02_pretraining.ipynb"
STEPS, SKIPPED, ROUNDS = 40, 10, 5  # the first steps find their memory
OBJECTIVES = ("causal", "masked")


@pytest.fixture(scope="module")
def settings():
    """{objective: arguments of `pretrain`}, as the notebook has them."""
    cells = {cell.id: cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells}
    names = {}
    exec(cells["live-settings"], names)
    return {objective: names[objective] for objective in OBJECTIVES}


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_gap_after_half_a_minute_and_more(objective, settings, report):
    options = settings[objective]
    exam = unseen(objective, 200, 1.0 if objective == "causal" else 0.2, tuple(options["genres"]))
    _, history = pretrain(**{**options, "steps": 60})
    seconds_per_step = (history[-1]["seconds"] - history[9]["seconds"]) / 50
    gaps = []
    for seconds in (30, 60, 120):
        steps = round(seconds / seconds_per_step)
        lm, history = pretrain(**{**options, "steps": steps, "decay_steps": steps // 3})
        gaps.append(gap_to_floor(lm, exam)["all"].gap.nats)
        last = history[-1]
        spent = f"{last['seconds']:.0f} s, {steps:,} steps, {last['tokens']:,} tokens"
        report(f"{objective} model after {spent}: {gaps[-1]:.2f} nats per token above its floor")
    assert gaps == sorted(gaps, reverse=True)


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU("tanh"), nn.Linear(4 * width, width)
        )

    def forward(self, x):  # [rows, tokens, width]
        parts = self.qkv(self.before_attention(x)).unflatten(
            -1, (3, self.heads, -1)
        )  # [..., 3, heads, head width]
        q, k, v = parts.permute(2, 0, 3, 1, 4)  # [rows, heads, tokens, head width] each
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        return x + self.mlp(self.before_mlp(x))


class PlainGPT(nn.Module):
    def __init__(self, vocabulary, layers, width, heads):
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Embedding(CONTEXT, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)))
        self.last = nn.LayerNorm(width)
        nn.init.normal_(self.tokens.weight, std=0.02)

    def forward(self, ids):  # [rows, tokens] -> [rows, tokens, vocabulary]
        x = self.tokens(ids) + self.places(torch.arange(ids.shape[1]))
        return self.last(self.blocks(x)) @ self.tokens.weight.T


def shape(options):
    return options["n_layer"], options["d_model"], options["n_head"]


def plain_tokens_per_second(options):
    tokenizer, language = build_tokenizer(), pocketweb.language(options["genres"])
    ids_of = Batches("causal", tokenizer, 1).id_of
    model = PlainGPT(len(tokenizer), *shape(options))
    optimizer = torch.optim.AdamW(
        model.parameters(), 2e-3, betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )
    random_state = random.Random(0)
    for step in range(STEPS):
        if step == SKIPPED:
            tokens, start = 0, time.perf_counter()
        rows, in_step = [], 0
        while in_step < options["tokens_per_step"]:
            document = language.draw(random_state)
            rows.append(
                torch.tensor([ids_of[t] for t in (pocketweb.END, *document.tokens, pocketweb.END)])
            )
            in_step += len(rows[-1])
        ids = nn.utils.rnn.pad_sequence(
            rows, batch_first=True, padding_value=tokenizer.pad_token_id
        )
        logits = model(ids[:, :-1]).flatten(0, 1)
        loss = functional.cross_entropy(
            logits, ids[:, 1:].flatten(), ignore_index=tokenizer.pad_token_id
        )
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        loss.item()
        tokens = tokens + in_step if step >= SKIPPED else 0
    return tokens / (time.perf_counter() - start)


def tokens_per_second(options):
    _, history = pretrain(**{**options, "steps": STEPS})
    first, last = history[SKIPPED - 1], history[-1]
    return (last["tokens"] - first["tokens"]) / (last["seconds"] - first["seconds"])


def test_the_loop_against_plain_pytorch(settings, report):
    options = settings["causal"]
    tokenizer = build_tokenizer()
    rivals = (
        PlainGPT(len(tokenizer), *shape(options)),
        build_model("causal", tokenizer, *shape(options)),
    )
    assert len({sum(p.numel() for p in model.parameters()) for model in rivals}) == 1
    ours, plain = [], []
    for _ in range(ROUNDS):  # they take turns
        for found, measure in ((ours, tokens_per_second), (plain, plain_tokens_per_second)):
            found.append(measure(options))
    ratio = statistics.median(a / b for a, b in zip(ours, plain, strict=True))
    speed = f"{statistics.median(ours):,.0f} tokens/s"
    report(f"the loop: {speed}, {ratio:.2f} x plain PyTorch (at least 1)")
    assert ratio >= 1.0
