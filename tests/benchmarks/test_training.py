"""How fast the pre-training loop is, beside a bare loop that makes no texts and packs nothing.

The rival is a GPT of the same shape in plain PyTorch, written here: rows of 256 random tokens, tied
head, fused attention and fused AdamW, and nothing else around it. All its places are real tokens,
so real tokens a second are compared. Each shape is measured in a process of its own, as a notebook
is: in the memory that a larger model has left behind, the bare loop takes up to a fifth less time
at the live shape, and ours as much as before.
"""

import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import nbformat
import pytest
import torch
from torch import nn
from torch.nn import functional

from helpers.lab import pretraining
from helpers.lab.architecture import CONTEXT, build_model, build_tokenizer
from helpers.lab.batches import Batches
from helpers.lab.pretraining import SummedLoss, build_optimizers, pretrain
from helpers.models import load_causal_lm
from tests.support.notebook_plugin import ROOT

ROUNDS, SKIPPED = 5, 4  # the first steps find their memory
STEPS = {"pocket": 10, "live": 30}
AT_LEAST = {  # times the bare loop, by shape and optimiser
    ("pocket", "adamw"): 1.0,
    ("live", "adamw"): 1.0,
    ("live", "muon"): 0.85,
}
TEXTS_AT_MOST = {"pocket": 0.03, "live": 0.06}  # share of a step that goes into making its texts


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


@pytest.fixture(scope="module")
def options():
    """{shape: arguments of `pretrain`}: those of the pocket models, and of notebook 02."""
    config = load_causal_lm("pocket-gpt2").model.config
    pocket = {"n_layer": config.n_layer, "d_model": config.n_embd, "n_head": config.n_head}
    path = ROOT / "notebooks" / "02_pretraining.ipynb"
    cells = {cell.id: cell.source for cell in nbformat.read(path, as_version=4).cells}
    exec(cells["live-settings"], names := {})
    return {"pocket": {**pocket, "tokens_per_step": 3072}, "live": names["causal"]}


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def in_turns(options, steps, threads):
    """Tokens a second of the bare loop and of ours with either optimiser, ROUNDS of each."""
    torch.set_num_threads(threads)
    found = {"bare": [], "adamw": [], "muon": []}
    for _ in range(ROUNDS):
        found["bare"].append(bare_tokens_per_second(options, steps))
        for name in ("adamw", "muon"):
            found[name].append(tokens_per_second(options, steps, name))
    return found


def size(options):
    return options["n_layer"], options["d_model"], options["n_head"]


def bare_tokens_per_second(options, steps):
    model = PlainGPT(len(build_tokenizer()), *size(options))
    adamw = {"betas": (0.9, 0.98), "weight_decay": 0.01, "fused": True}
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3, **adamw)
    rows = round(options["tokens_per_step"] / CONTEXT)
    ids = torch.randint(0, model.tokens.num_embeddings, (rows, CONTEXT + 1))
    for step in range(steps):
        if step == SKIPPED:
            start = time.perf_counter()
        logits = model(ids[:, :-1]).flatten(0, 1)
        loss = functional.cross_entropy(logits, ids[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        loss.item()
    return rows * CONTEXT * (steps - SKIPPED) / (time.perf_counter() - start)


def tokens_per_second(options, steps, optimizer):
    _, history = pretrain(**{**options, "steps": steps, "optimizer": optimizer})
    first, last = history[SKIPPED - 1], history[-1]
    return (last["tokens"] - first["tokens"]) / (last["seconds"] - first["seconds"])


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shape", STEPS)
def test_the_loop_against_a_bare_one(shape, threads, options, report):
    of, steps = options[shape], STEPS[shape]
    models = (
        PlainGPT(len(tok := build_tokenizer()), *size(of)),
        build_model("causal", tok, *size(of)),
    )
    assert len({sum(p.numel() for p in model.parameters()) for model in models}) == 1
    with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
        found = fresh.submit(in_turns, of, steps, threads).result()
    for name in ("adamw", "muon"):
        pairs = zip(found[name], found["bare"], strict=True)
        ratio, least = statistics.median(a / b for a, b in pairs), AT_LEAST.get((shape, name), 0)
        speed = f"{statistics.median(found[name]):,.0f} tokens/s"
        where = f"{shape} shape, {name}, {threads} thread{'s'[: threads - 1]}"
        report(f"the loop, {where}: {speed}, {ratio:.2f} x the bare loop (at least {least})")
        assert ratio >= least


@pytest.mark.parametrize("shape", STEPS)
def test_making_texts(shape, options, report, medians):
    of = options[shape]
    batches = Batches("causal", build_tokenizer(), of["tokens_per_step"], genres=of.get("genres"))
    for step in range(50):
        batches[step]  # what the language remembers is found
    steps = iter(range(50, 10_000))
    seconds = medians(lambda: [batches[next(steps)] for _ in range(5)], rounds=9)[0] / 5
    _, history = pretrain(**{**of, "steps": STEPS[shape]})
    step = (history[-1]["seconds"] - history[SKIPPED]["seconds"]) / (len(history) - SKIPPED - 1)
    share, most = seconds / step, TEXTS_AT_MOST[shape]
    report(f"making texts, {shape} shape: {share:.1%} of a step (at most {most:.0%})")
    assert share <= most


@pytest.mark.parametrize("shape", STEPS)
def test_scores_a_few_at_a_time(shape, threads, options, report, medians, monkeypatch):
    """The loss and its gradient, with the scores of all tokens at once and of a few."""
    of = options[shape]
    network = SummedLoss(build_model("causal", build_tokenizer(), *size(of)))
    batch = Batches("causal", build_tokenizer(), of["tokens_per_step"])[0]

    def with_parts_of(n):
        def measure():
            monkeypatch.setattr(pretraining, "SCORED_AT_ONCE", n)
            network(**batch).backward()

        return measure

    few, everything = medians(with_parts_of(pretraining.SCORED_AT_ONCE), with_parts_of(10**6))
    where = f"{shape} shape, {threads} thread{'s'[: threads - 1]}"
    report(f"scores all at once, {where}: a pass takes {everything / few:.2f} x as long")
    assert few <= everything


@pytest.mark.skipif(
    torch.cpu.get_capabilities().get("avx512_bf16", False),
    reason="with instructions for bfloat16, PyTorch's own is the faster one",
)
def test_muon_in_single_precision_against_pytorchs(report, medians):
    model = build_model("causal", build_tokenizer())
    muon, _ = build_optimizers(model, "muon")
    matrices = muon.param_groups[0]["params"]
    for matrix in matrices:
        matrix.grad = torch.randn_like(matrix)
    theirs = torch.optim.Muon(
        matrices, momentum=0.95, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"
    )
    ours, others = medians(muon.step, theirs.step, rounds=5)
    alone = f"a step of Muon in single precision: {1000 * ours:.0f} ms"
    report(f"{alone}, in bfloat16 {others / ours:.1f} x as long")
    assert ours <= 1.2 * others
