"""The pre-training loop: labels, checkpoints, several processes, and that it learns at all."""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
from collections import Counter

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from helpers.lab import architecture, pocketweb, pretraining, resuming
from helpers.lab.architecture import build_model, build_tokenizer, save
from helpers.lab.batches import Batches, _split_by_tokens
from helpers.lab.engine import Language
from helpers.lab.pretraining import learning_rate_at, pretrain
from helpers.models import load_causal_lm, load_masked_lm
from tests.support.notebook_plugin import ROOT

TINY = {
    "n_layer": 1,
    "d_model": 16,
    "n_head": 2,
    "tokens_per_step": 256,
    "warmup_steps": 2,
    "decay_steps": 2,
}
TINY_WORDS = ["--n-layer", "1", "--d-model", "16", "--n-head", "2"]
OBJECTIVES = pytest.mark.parametrize("objective", ["causal", "masked"])


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


def losses(history):
    return [line["loss"] for line in history]


# ---- batches


def texts(part, tokenizer):
    """The rows of a micro-batch as token texts, padding left out."""
    rows = zip(part["input_ids"].tolist(), part["attention_mask"].tolist(), strict=True)
    return [[tokenizer.decode([i]) for i, kept in zip(*row, strict=True) if kept] for row in rows]


def test_causal_batches_are_whole_documents_with_shifted_labels(tokenizer):
    batch = Batches("causal", tokenizer, 3000)[0]
    assert len(batch) > 1
    for part in batch:
        for tokens in texts(part, tokenizer):
            assert tokens[0] == tokens[-1] == pocketweb.END
            assert pocketweb.log_prob("".join(tokens[1:])) > -math.inf
        padding = part["attention_mask"] == 0
        assert (part["input_ids"][padding] == tokenizer.pad_token_id).all()
        assert (part["labels"] == part["input_ids"].masked_fill(padding, -100)).all()


def test_masked_batches_hide_what_is_to_be_predicted(tokenizer):
    batches, hidden, visible, cut, rows = (
        Batches("masked", tokenizer, 3000, mask_rate=0.3),
        0,
        0,
        0,
        0,
    )
    for step in range(4):
        for part in batches[step]:
            asked = part["labels"] != -100
            assert (part["input_ids"][asked] == tokenizer.mask_token_id).all()
            assert (part["input_ids"] == tokenizer.mask_token_id).sum() == asked.sum()
            original = part["input_ids"].where(~asked, part["labels"])
            special = torch.isin(original, torch.tensor(tokenizer.all_special_ids))
            assert not (special & asked).any()
            assert (original[:, 0] == tokenizer.bos_token_id).all()
            for tokens in texts({**part, "input_ids": original}, tokenizer):
                assert pocketweb.log_prob("".join(tokens[1:])) > -math.inf
                cut, rows = cut + (tokens[-1] != pocketweb.END), rows + 1
            hidden, visible = hidden + int(asked.sum()), visible + int((~asked & ~special).sum())
    assert hidden / (hidden + visible) == pytest.approx(0.3, abs=0.02)
    assert cut / rows == pytest.approx(0.5, abs=0.12)


@OBJECTIVES
def test_the_loss_follows_the_definition(objective, tokenizer):
    torch.manual_seed(0)
    model = build_model(objective, tokenizer, n_layer=1, d_model=16, n_head=2).eval()
    part = Batches(objective, tokenizer, 400)[0][-1]
    logits = model(input_ids=part["input_ids"], attention_mask=part["attention_mask"]).logits
    expected, asked = 0.0, 0
    for row, labels in enumerate(part["labels"].tolist()):
        for place, label in enumerate(labels):
            if label != -100 and (objective == "masked" or place > 0):
                before = place - (objective == "causal")  # a causal model answers one place earlier
                expected -= logits[row, before].log_softmax(-1)[label].item()
                asked += 1
    assert asked > 30
    assert pretraining.SummedLoss(model)(**part).item() == pytest.approx(expected, rel=1e-5)


@OBJECTIVES
def test_the_loop_asks_for_what_the_definition_says(objective, tokenizer, monkeypatch):
    """The loop's inputs and the targets of its loss, put together by hand, give back the documents
    drawn.
    """
    drawn, parts, targets = [], [], []
    draw, forward = Language.draw, pretraining.SummedLoss.forward
    cross_entropy = torch.nn.functional.cross_entropy

    def recorded_draw(self, rng):
        drawn.append(draw(self, rng))
        return drawn[-1]

    def recorded_forward(self, **part):
        parts.append(part)
        return forward(self, **part)

    def recorded_loss(logits, labels, **options):
        targets.append(labels.tolist())
        return cross_entropy(logits, labels, **options)

    monkeypatch.setattr(Language, "draw", recorded_draw)
    monkeypatch.setattr(pretraining.SummedLoss, "forward", recorded_forward)
    monkeypatch.setattr(torch.nn.functional, "cross_entropy", recorded_loss)
    pretrain(objective, steps=3, **{**TINY, "tokens_per_step": 1500})
    number = {tokenizer.decode([i]): i for i in range(len(tokenizer))}
    documents = [
        [number[token] for token in (pocketweb.END, *d.tokens, pocketweb.END)] for d in drawn
    ]
    beginnings = {tuple(ids[:n]) for ids in documents for n in range(1, len(ids) + 1)}
    blanks = 0
    for part, asked in zip(parts, targets, strict=True):
        asked = iter(asked)
        for ids, mask in zip(
            part["input_ids"].tolist(), part["attention_mask"].tolist(), strict=True
        ):
            row = ids[: sum(mask)]
            if (
                objective == "causal"
            ):  # every token but the start, each asked from the place before it
                whole = [row[0], *(next(asked) for _ in row[1:])]
                assert whole == row
                assert whole in documents
            else:  # the token under every blank, and nothing else
                whole = [
                    next(asked) if token == tokenizer.mask_token_id else token for token in row
                ]
                blanks += sum(a != b for a, b in zip(row, whole, strict=True))
                assert tuple(whole) in beginnings
        assert next(asked, None) is None
    assert len(parts) >= 3
    assert objective == "causal" or blanks > 1000


def test_batches_depend_on_seed_and_step_alone(tokenizer):
    first, again = (
        Batches("masked", tokenizer, 300, seed=1),
        Batches("masked", tokenizer, 300, seed=1),
    )
    torch.manual_seed(99)
    same = [first[3][0], again[3][0]]
    assert all(torch.equal(same[0][name], same[1][name]) for name in same[0])
    others = [Batches("masked", tokenizer, 300, seed=2)[3][0], first[4][0]]
    assert all(other["input_ids"].tolist() != same[0]["input_ids"].tolist() for other in others)


def restored(part):
    """The rows of a micro-batch, what is hidden put back, as sortable lists of ids."""
    ids = part["input_ids"].where(part["labels"] == -100, part["labels"])
    return [
        row[:length].tolist()
        for row, length in zip(ids, part["attention_mask"].sum(1), strict=True)
    ]


@OBJECTIVES
def test_a_gpu_reads_the_same_documents_in_fewer_passes(objective, tokenizer):
    cpu, gpu = (
        Batches(objective, tokenizer, 6000, seed=1, device=device)[2] for device in ("cpu", "cuda")
    )
    assert len(gpu) < len(cpu) / 3
    rows = [sorted(row for part in batch for row in restored(part)) for batch in (cpu, gpu)]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_batches_made_in_advance_are_the_same_ones(device, tokenizer):
    batches = Batches("masked", tokenizer, 300, device=device)
    loaded = list(batches.between(2, 5))
    assert len(loaded) == 3
    for step, batch in enumerate(loaded, start=2):
        for part, expected in zip(batch, batches[step], strict=True):
            assert all(torch.equal(part[name], expected[name]) for name in expected)


def test_genres_reach_the_batches(tokenizer):
    rows = texts(Batches("causal", tokenizer, 300, genres=["echo"])[0][0], tokenizer)
    assert all(row[1] == "Echo" for row in rows)


def test_held_out_texts_are_never_read(tokenizer, monkeypatch):
    genres = ["sums", "encyclopedia"]
    batches = Batches("causal", tokenizer, 3000, genres=genres)
    read = [
        "".join(row[1:-1])
        for step in range(4)
        for part in batches[step]
        for row in texts(part, tokenizer)
    ]
    assert len(read) > 200
    assert not any(map(pocketweb.is_held_out, read))
    drawn = pocketweb.language(genres).sample(400, seed=0)
    assert (
        sum(pocketweb.is_held_out(document.text) for document in drawn) > 10
    )  # so there was something to avoid


# ---- loop


def test_learning_rate():
    rates = [
        learning_rate_at(step, 100, 2.0, warmup_steps=10, decay_steps=20) for step in range(100)
    ]
    assert rates[:10] == pytest.approx([0.2 * n for n in range(1, 11)])
    assert set(rates[10:80]) == {2.0}
    assert rates[80:] == pytest.approx([0.1 * n for n in range(20, 0, -1)])
    assert learning_rate_at(0, 1, 2.0, 0, 0) == 2.0


def test_the_history_tells_the_run(tokenizer):
    lm, history = pretrain("masked", steps=4, learning_rate=1e-2, **TINY)
    assert lm.kind == "masked"
    assert [line["step"] for line in history] == [1, 2, 3, 4]
    assert [line["learning_rate"] for line in history] == pytest.approx([5e-3, 1e-2, 1e-2, 5e-3])
    read = [
        sum(int(p["attention_mask"].sum()) for p in Batches("masked", tokenizer, 256)[step])
        for step in range(4)
    ]
    assert [line["tokens"] for line in history] == [sum(read[: n + 1]) for n in range(4)]
    assert history[-1]["seconds"] >= history[0]["seconds"] >= 0


@OBJECTIVES
def test_a_resumed_run_continues_the_same_curve(objective, tmp_path):
    whole, expected = pretrain(objective, steps=8, **TINY)
    kept = tmp_path / "kept"
    original = pretraining.save_checkpoint

    def save_and_keep(folder, *arguments):
        original(folder, *arguments)
        if not kept.exists():
            shutil.copytree(folder, kept)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretraining, "save_checkpoint", save_and_keep)
        pretrain(objective, steps=8, folder=tmp_path / "run", checkpoint_every=5, **TINY)
    resumed, history = pretrain(objective, steps=8, folder=kept, **TINY)
    assert losses(history) == losses(expected)
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name
    _, finished = pretrain(objective, steps=8, folder=kept, **TINY)  # nothing is left to do
    assert losses(finished) == losses(expected)


def test_ctrl_c_leaves_a_usable_checkpoint(tmp_path, monkeypatch, capsys):
    _, expected = pretrain("causal", steps=6, **TINY)
    original, calls = pretraining._train_step, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(pretraining, "_train_step", interrupted)
    lm, history = pretrain("causal", steps=6, folder=tmp_path, **TINY)
    assert "Interrupted after 3 of 6 steps" in capsys.readouterr().out
    assert losses(history) == losses(expected)[:3]
    assert lm.n_params > 0
    _, history = pretrain("causal", steps=6, folder=tmp_path, **TINY)
    assert losses(history) == losses(expected)


def test_ctrl_c_before_the_first_step(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        pretraining, "_train_step", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    pretraining.run(parsed("--folder", str(tmp_path), "--output", str(tmp_path / "model")))
    assert "Interrupted after 0 of 1000 steps" in capsys.readouterr().out
    assert (tmp_path / "model" / "model.safetensors").exists()


def parsed(*words):
    parser = argparse.ArgumentParser()
    pretraining.add_arguments(parser)
    return parser.parse_args([*TINY_WORDS, *words])


def test_a_half_written_checkpoint_never_replaces_a_whole_one(tmp_path, monkeypatch):
    _, expected = pretrain("causal", steps=3, folder=tmp_path, **TINY)
    whole = (tmp_path / "checkpoint.safetensors").read_bytes()

    def fail(tensors, path, metadata):
        path.write_bytes(b"half")
        raise OSError("no space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resuming, "save_file", fail)
        with pytest.raises(OSError, match="no space"):
            pretrain("causal", steps=4, folder=tmp_path, **TINY)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == whole
    _, history = pretrain("causal", steps=4, folder=tmp_path, **TINY)
    assert losses(history)[:3] == losses(expected)


@pytest.mark.parametrize("change", [{"d_model": 32}, {"seed": 1}, {"objective": "masked"}])
def test_a_checkpoint_of_another_run_is_refused(tmp_path, change):
    pretrain("causal", steps=1, folder=tmp_path, **TINY)
    with pytest.raises(ValueError, match=r"belongs to another run.*Use a new folder"):
        pretrain(**{"objective": "causal", "steps": 2, "folder": tmp_path, **TINY, **change})


@OBJECTIVES
def test_training_goes_on_from_a_model(objective, tmp_path):
    learned, _ = pretrain(objective, steps=30, **TINY)
    save(learned, tmp_path)
    model = learned.model.half().float()
    total, count = 0.0, 0
    for part in Batches(objective, learned.tokenizer, TINY["tokens_per_step"], seed=1)[0]:
        predicted = int((part["labels"][:, 1:] != -100).sum())
        total, count = total + predicted * model(**part).loss.item(), count + predicted
    _, history = pretrain(objective, steps=1, start_from=tmp_path, seed=1, **TINY)
    assert losses(history) == pytest.approx([total / count], abs=1e-4)


def test_a_model_of_another_size_is_no_start(tmp_path):
    lm, _ = pretrain("causal", steps=1, **TINY)
    save(lm, tmp_path)
    with pytest.raises(ValueError, match="another size"):
        pretrain("causal", steps=1, start_from=tmp_path, **TINY | {"d_model": 32})


def test_the_loss_falls_below_that_of_word_counts():
    web = pocketweb.language()
    counts = Counter(
        token for document in web.sample(3000, 1) for token in (*document.tokens, pocketweb.END)
    )
    total = sum(counts.values())
    unigram = -sum(c / total * math.log(c / total) for c in counts.values())
    options = {**TINY, "d_model": 32, "tokens_per_step": 1024, "learning_rate": 1e-2}
    _, history = pretrain("causal", steps=80, **options)
    late = losses(history)[-10:]
    assert sum(late) / len(late) < unigram
    assert losses(history)[0] > unigram


def test_bad_input():
    with pytest.raises(ValueError, match='"causal" or "masked"'):
        pretrain("prefix", steps=1)
    with pytest.raises(ValueError, match="no genre 'poem'"):
        pretrain("causal", steps=1, genres=["poem"])
    with pytest.raises(ValueError, match="100 is not a multiple of 3"):
        pretrain("causal", steps=1, d_model=100, n_head=3)
    with pytest.raises(ValueError, match='"causal" or "masked"'):
        Batches("prefix", None, 10)


# ---- models


def test_the_twins_are_of_one_size(tokenizer):
    causal, masked = (build_model(objective, tokenizer) for objective in ("causal", "masked"))
    assert causal.num_parameters() == pytest.approx(masked.num_parameters(), rel=0.03)
    assert causal.config.n_layer == masked.config.num_hidden_layers
    assert causal.config.n_embd == masked.config.hidden_size
    assert causal.config.n_head == masked.config.num_attention_heads
    assert (
        causal.config.n_positions == masked.config.max_position_embeddings == architecture.CONTEXT
    )


@OBJECTIVES
def test_a_saved_model_loads_again(objective, tmp_path):
    lm, _ = pretrain(objective, steps=1, **TINY)
    save(lm, tmp_path)
    assert lm.model.dtype == torch.float32  # the model itself stays as it was
    assert {tensor.dtype for tensor in load_file(tmp_path / "model.safetensors").values()} == {
        torch.float16
    }
    again = (load_causal_lm if objective == "causal" else load_masked_lm)(
        str(tmp_path), device="cpu"
    )
    ids = lm.tokenizer("Once upon a [MASK]", return_tensors="pt")
    assert again.tokenizer("Once upon a [MASK]").input_ids == ids.input_ids[0].tolist()
    with torch.no_grad():
        assert torch.allclose(again.model(**ids).logits, lm.model.cpu()(**ids).logits, atol=5e-3)


# ---- several processes


class Rank:
    """What the training step needs of an Accelerator, for one of several processes that average
    their gradients.
    """

    device = torch.device("cpu")

    def __init__(self, process_index, num_processes):
        self.process_index, self.num_processes = process_index, num_processes

    def backward(self, loss):
        loss.backward()

    def reduce(self, tensor, reduction):
        assert reduction == "sum"
        return tensor


class Keep:
    """An optimiser that only keeps the gradients of its step."""

    def __init__(self, model):
        self.model, self.param_groups = model, [{}]

    def step(self):
        self.gradients = torch.cat(
            [parameter.grad.flatten() for parameter in self.model.parameters()]
        )

    def zero_grad(self):
        self.model.zero_grad()


@OBJECTIVES
@pytest.mark.parametrize("n_processes", [2, 3])
def test_averaged_gradients_are_those_of_the_mean_loss(objective, n_processes, tokenizer):
    """Muon and AdamW hardly notice a wrong scale of the gradient: equal losses alone do not show a
    right one.
    """
    torch.manual_seed(0)
    model = build_model(objective, tokenizer, n_layer=1, d_model=16, n_head=2)
    for tokens_per_step in (1, 60, 3000):  # one row, a few rows, several micro-batches
        batch = Batches(objective, tokenizer, tokens_per_step, seed=1)[2]
        kept, losses = [], []
        for rank in range(n_processes):
            kept.append(Keep(model))
            network = pretraining.SummedLoss(model)
            losses.append(
                pretraining._train_step(Rank(rank, n_processes), network, kept[-1:], 0.1, batch)
            )
        asked = sum(int((part["labels"][:, 1:] != -100).sum()) for part in batch)
        mean = sum(network(**part) for part in batch) / max(1, asked)
        expected = torch.cat(
            [g.flatten() for g in torch.autograd.grad(mean, list(model.parameters()))]
        )
        found = sum(keep.gradients for keep in kept) / n_processes
        assert torch.allclose(found, expected, atol=1e-6)
        assert sum(losses) == pytest.approx(mean.item(), rel=1e-5)


TWICE = f"""
import sys
from helpers import __main__ as command_line
from helpers.lab.pretraining import pretrain

pretrain("causal", steps=50, folder=f"{{sys.argv[1]}}/causal", **{TINY | {"tokens_per_step": 80}})
command = ["pretrain", *sys.argv[2:], "--folder", f"{{sys.argv[1]}}/masked"]
sys.exit(command_line.main(command))
"""


def test_two_processes_learn_what_one_learns(tmp_path):
    """Batches as small as these also have micro-batches with fewer rows than there are processes.
    Both objectives share one start of the two processes, the second by way of the command line.
    """
    words = "--objective masked --steps 50 --tokens-per-step 80 --warmup-steps 2 --decay-steps 2"
    words = [*TINY_WORDS, *words.split()]
    pretrain(
        "causal", steps=50, folder=tmp_path / "one" / "causal", **TINY | {"tokens_per_step": 80}
    )
    pretraining.run(parsed(*words, "--folder", str(tmp_path / "one" / "masked")))
    program = tmp_path / "twice.py"
    program.write_text(TWICE)
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *torchrun, str(program), str(tmp_path / "two"), *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "number of processes: 2" in done.stdout
    for objective in ("causal", "masked"):
        one, two = (losses(history_of(tmp_path / name / objective)) for name in ("one", "two"))
        assert len(one) == len(two) == 50
        assert max(abs(a - b) for a, b in zip(one, two, strict=True)) < 1e-4


def history_of(folder):
    with safe_open(folder / "checkpoint.safetensors", "pt") as file:
        return json.loads(file.metadata()["history"])


def test_micro_batches_cost_as_little_as_any_grouping():
    rows = [[0] * length for length in (3, 3, 4, 9, 10, 30, 31, 40)]

    def cost(groups):
        return sum(len(group) * len(group[-1]) + 20 for group in groups)

    def groupings(rows):
        if not rows:
            yield []
        for end in range(1, len(rows) + 1):
            if end == 1 or end * len(rows[end - 1]) <= 70:
                yield from ([rows[:end], *rest] for rest in groupings(rows[end:]))

    found = _split_by_tokens(rows, most=70, price=20)
    assert [row for group in found for row in group] == rows
    assert cost(found) == min(map(cost, groupings(rows)))
    assert len(_split_by_tokens([[0] * 2000], most=1024, price=48)) == 1
