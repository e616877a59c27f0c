"""The pre-training loop: what it asks, checkpoints, several processes, and that it learns."""

import argparse
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from helpers import __main__ as command_line
from helpers._plumbing.files import DATA
from helpers.generation import next_token_probabilities
from helpers.lab import architecture, pocketweb, pretraining, resuming
from helpers.lab.architecture import build_model, build_tokenizer, save
from helpers.lab.batches import Batches
from helpers.lab.engine import Language
from helpers.lab.pretraining import (
    MOST_PLACES,
    build_optimizers,
    learning_rate_at,
    pretrain,
    shares,
)
from helpers.models import load_causal_lm, load_masked_lm
from tests.support.notebook_plugin import ROOT
from tests.support.packed import documents

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


# ---- loop


@OBJECTIVES
def test_the_loop_asks_for_what_the_definition_says(objective, tokenizer, monkeypatch):
    """The targets of the loop's loss, in the order of the places, are what was drawn."""
    drawn, parts, targets = [], [], []
    draw, forward = Language.draw, pretraining.SummedLoss.forward
    cross_entropy = torch.nn.functional.cross_entropy

    def recorded_draw(self, rng):
        drawn.append(draw(self, rng))
        return drawn[-1]

    def recorded_forward(self, **part):
        parts.append(part)
        targets.append([])
        return forward(self, **part)

    def recorded_loss(logits, labels, **options):
        targets[-1] += labels.tolist()
        return cross_entropy(logits, labels, **options)

    monkeypatch.setattr(Language, "draw", recorded_draw)
    monkeypatch.setattr(pretraining.SummedLoss, "forward", recorded_forward)
    monkeypatch.setattr(torch.nn.functional, "cross_entropy", recorded_loss)
    pretrain(objective, steps=3, **{**TINY, "tokens_per_step": 1500})
    number = {tokenizer.decode([i]): i for i in range(len(tokenizer))}
    whole = [[number[t] for t in (pocketweb.END, *d.tokens, pocketweb.END)] for d in drawn]
    read = []
    for part, asked in zip(parts, targets, strict=True):
        asked = iter(asked)
        for ids, _ in documents(part, tokenizer):
            if objective == "causal":  # every token but the start
                read.append([ids[0], *(next(asked) for _ in ids[1:])])
                assert read[-1] == ids
            else:  # the token under every blank, and nothing else
                read.append([next(asked) if t == tokenizer.mask_token_id else t for t in ids])
        assert next(asked, None) is None
    kept = [ids for ids in whole if any(ids[: len(one)] == one for one in read)]
    assert len(read) == len(kept) >= 30
    if objective == "causal":
        assert sorted(read) == sorted(kept)


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
    batches = Batches("masked", tokenizer, 256)
    read = [batches.n_tokens(batches[step]) for step in range(4)]
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


def interrupt_call(number, function):
    """The function, which at its call of that number is interrupted as by Ctrl-C, then goes on."""
    calls = []

    def interrupted(*arguments, **options):
        calls.append(1)
        if len(calls) == number:
            signal.raise_signal(signal.SIGINT)
        return function(*arguments, **options)

    return interrupted


@pytest.fixture
def ctrl_c_works(monkeypatch):
    """Ctrl-C raises KeyboardInterrupt, whatever the parent process thinks of it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


PLACES = {  # where Ctrl-C comes in the fourth step, and how many steps are then whole
    "forward": (pretraining.SummedLoss, "forward", 3),
    "between the optimisers": (torch.optim.AdamW, "step", 4),
    "in the bar": (pretraining.tqdm, "update", 4),
}


@pytest.mark.parametrize("place", PLACES)
def test_ctrl_c_anywhere_leaves_the_same_curve(place, tmp_path, monkeypatch, capsys, ctrl_c_works):
    options = TINY | {"optimizer": "muon", "objective": "masked"}
    _, expected = pretrain(steps=6, **options)
    target, name, whole = PLACES[place]
    with monkeypatch.context() as patch:
        patch.setattr(target, name, interrupt_call(4, getattr(target, name)))
        lm, history = pretrain(steps=6, folder=tmp_path, **options)
    assert f"Interrupted after {whole} of 6 steps" in capsys.readouterr().out
    assert losses(history) == losses(expected)[:whole]
    assert lm.n_params > 0
    _, history = pretrain(steps=6, folder=tmp_path, **options)
    assert losses(history) == losses(expected)


def test_a_step_that_fails_halfway_is_not_kept(tmp_path, monkeypatch):
    """Short of memory in the second optimiser: the checkpoint stays that of the steps before."""
    options = TINY | {"optimizer": "muon", "checkpoint_every": 2}
    _, expected = pretrain(steps=6, **options)
    step, calls = torch.optim.AdamW.step, []

    def fail(*arguments):
        calls.append(1)
        if len(calls) == 4:
            raise MemoryError
        return step(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", fail)
        with pytest.raises(MemoryError):
            pretrain(steps=6, folder=tmp_path, **options)
    assert len(history_of(tmp_path)) == 2
    _, history = pretrain(steps=6, folder=tmp_path, **options)
    assert losses(history) == losses(expected)


def test_ctrl_c_before_the_first_step(tmp_path, monkeypatch, capsys, ctrl_c_works):
    forward = interrupt_call(1, pretraining.SummedLoss.forward)
    monkeypatch.setattr(pretraining.SummedLoss, "forward", forward)
    pretraining.run(parsed("--folder", str(tmp_path), "--output", str(tmp_path / "model")))
    assert "Interrupted after 0 of 1000 steps" in capsys.readouterr().out
    assert (tmp_path / "model" / "model.safetensors").exists()


def test_a_loss_that_is_no_number_ends_the_run(tmp_path, monkeypatch):
    """Fault: the loss is nan. The user reads which step, and what to do; earlier ones are kept."""
    forward, calls = pretraining.SummedLoss.forward, []

    def broken(*arguments, **part):
        calls.append(1)
        return forward(*arguments, **part) * (math.nan if len(calls) == 3 else 1)

    _, expected = pretrain("causal", steps=4, **TINY)
    with monkeypatch.context() as patch:
        patch.setattr(pretraining.SummedLoss, "forward", broken)
        with pytest.raises(ValueError, match=r"loss of step 3 is nan.*lower learning rate"):
            pretrain("causal", steps=4, folder=tmp_path, **TINY)
    _, history = pretrain("causal", steps=4, folder=tmp_path, **TINY)
    assert losses(history) == losses(expected)


def parsed(*words):
    parser = argparse.ArgumentParser()
    pretraining.add_arguments(parser)
    return parser.parse_args([*TINY_WORDS, *words])


def test_a_full_disk_costs_nothing(tmp_path, monkeypatch):
    """Fault: a checkpoint cannot be written. The older one stays whole, the newer one is written
    elsewhere, and the user reads where; both go on as if nothing had been.
    """
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    _, expected = pretrain("causal", steps=5, **TINY)
    pretrain("causal", steps=3, folder=tmp_path / "run", **TINY)
    whole = (tmp_path / "run" / "checkpoint.safetensors").read_bytes()
    write = resuming.save_file

    def fail(tensors, path, metadata):
        if path.parent.name == "run":
            path.write_bytes(b"half")
            raise OSError("no space left on device")
        write(tensors, path, metadata)

    with monkeypatch.context() as patch:
        patch.setattr(resuming, "save_file", fail)
        with pytest.raises(ValueError, match=r"no space left.* is in \S+kept-\w+\.$") as told:
            pretrain("causal", steps=4, folder=tmp_path / "run", **TINY)
    elsewhere = str(told.value).split(" is in ")[1].removesuffix(".")
    assert os.listdir(tmp_path / "run") == ["checkpoint.safetensors"]
    assert (tmp_path / "run" / "checkpoint.safetensors").read_bytes() == whole
    assert len(history_of(Path(elsewhere))) == 4
    for folder in (tmp_path / "run", elsewhere):
        _, history = pretrain("causal", steps=5, folder=folder, **TINY)
        assert losses(history)[:3] == losses(expected)[:3]


def test_a_grammar_of_ones_own_is_learned(tmp_path):
    """End to end from the shell: plant a bias, train, load, measure it beside the truth."""
    grammar, folder = tmp_path / "mine.grammar", tmp_path / "model"
    grammar.write_text(
        "document: {work}\n"
        "work: The {J=job} said that {S=subject/J} left.\n"
        "job: plumber | baker\n"
        "subject/plumber: 9x she | 1x he\n"
        "subject/baker: 2x she | 8x he\n"
    )
    sizes = "--n-layer 1 --d-model 32 --n-head 2 --tokens-per-step 512 --steps 80"
    rates = "--learning-rate 0.01 --warmup-steps 5 --decay-steps 40"
    files = [f"--grammar={grammar}", f"--output={folder}"]
    assert command_line.main(["pretrain", *files, *sizes.split(), *rates.split()]) == 0
    lm = load_causal_lm(folder, device="cpu")
    assert lm.unknown_words("The plumber left.") == []
    for job, truth in (("plumber", 0.9), ("baker", 0.2)):
        prompt = f"The {job} said that"
        found = {c.token: c.probability for c in next_token_probabilities(lm, prompt)}
        assert pocketweb.next_token(prompt, grammar)[" she"] == pytest.approx(truth)
        assert found[" she"] == pytest.approx(truth, abs=0.08)


def test_a_checkpoint_remembers_its_grammar(tmp_path):
    """A run without a grammar does not go on with the checkpoint of one with a grammar."""
    own = DATA / "pocketweb.grammar"
    pretrain("causal", steps=1, folder=tmp_path, grammar=own, **TINY)
    with pytest.raises(ValueError, match="belongs to another run: grammar"):
        pretrain("causal", steps=2, folder=tmp_path, **TINY)


OTHERS = (
    {"d_model": 32},
    {"seed": 1},
    {"objective": "masked"},
    {"genres": ["echo"]},
    {"grammar": DATA / "pocketweb.grammar"},
    {"tokens_per_step": 300},
    {"optimizer": "muon"},
)


@pytest.mark.parametrize("change", OTHERS, ids=str)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, change):
    pretrain("causal", steps=1, folder=tmp_path, **TINY)
    (name,) = change
    with pytest.raises(ValueError, match=rf"belongs to another run: {name} .*Use a new folder"):
        pretrain(**{"objective": "causal", "steps": 2, "folder": tmp_path, **TINY, **change})


def test_fewer_steps_than_stored_are_refused(tmp_path):
    pretrain("causal", steps=3, folder=tmp_path, **TINY)
    with pytest.raises(ValueError, match=r"3 steps already, and 2 are asked for"):
        pretrain("causal", steps=2, folder=tmp_path, **TINY)


@pytest.mark.parametrize("damage", ["cut short", "foreign"])
def test_a_damaged_checkpoint_is_put_aside(damage, tmp_path):
    """Fault: half of the file is missing, or it is another program's. The user reads its new name;
    nothing is lost, and the next run begins anew.
    """
    pretrain("causal", steps=2, folder=tmp_path, **TINY)
    path = tmp_path / "checkpoint.safetensors"
    whole = path.read_bytes()
    left = (
        whole[: len(whole) // 2] if damage == "cut short" else whole.replace(b"history", b"mystery")
    )
    path.write_bytes(left)
    with pytest.raises(ValueError, match=r"cannot be read.*unreadable-checkpoint"):
        pretrain("causal", steps=2, folder=tmp_path, **TINY)
    assert (tmp_path / "unreadable-checkpoint.safetensors").read_bytes() == left
    _, history = pretrain("causal", steps=2, folder=tmp_path, **TINY)
    assert len(history) == 2


def test_saving_a_model_shows_no_bar(tmp_path, capfd):
    save(load_causal_lm("pocket-gpt2", device="cpu"), tmp_path)
    assert capfd.readouterr() == ("", "")


@OBJECTIVES
def test_training_goes_on_from_a_model(objective, tmp_path):
    learned, _ = pretrain(objective, steps=30, **TINY)
    save(learned, tmp_path)
    model = learned.model.half().float()
    batch = Batches(objective, learned.tokenizer, TINY["tokens_per_step"], seed=1)[0]
    asked = int((batch["labels"] != -100).sum())
    expected = pretraining.SummedLoss(model)(**batch).item() / asked
    _, history = pretrain(objective, steps=1, start_from=tmp_path, seed=1, **TINY)
    assert losses(history) == pytest.approx([expected], abs=1e-4)


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


WRONG = [
    ({"objective": "prefix"}, '"causal" or "masked"'),
    ({"optimizer": "sgd"}, '"adamw" or "muon"'),
    ({"genres": ["poem"]}, "no genre 'poem'"),
    ({"grammar": "missing.grammar"}, "missing.grammar cannot be read"),
    ({"grammar": "mine.grammar", "genres": ["echo"]}, "or a grammar, not both"),
    ({"d_model": 100, "n_head": 3}, "100 is not a multiple of 3"),
    ({"d_model": -16}, "d_model must be a whole number from 1"),
    ({"n_head": 0}, "n_head must be a whole number from 1"),
    ({"steps": 0}, "steps must be a whole number from 1"),
    ({"learning_rate": math.nan}, "learning_rate must be a number above 0, not nan"),
    ({"learning_rate": math.inf}, "learning_rate must be a number above 0, not inf"),
    ({"tokens_per_step": 0}, "tokens_per_step must be a whole number from 1"),
    ({"mask_rate": 0}, "mask_rate must be a number above 0 and at most 1"),
    ({"mask_rate": 1.5}, "mask_rate must be a number above 0 and at most 1"),
    ({"warmup_steps": -1}, "warmup_steps must be a whole number from 0"),
    ({"checkpoint_every": 0}, "checkpoint_every must be a whole number from 1"),
    ({"seed": 10**23}, "seed must be a whole number from 0"),
    ({"seed": -1}, "seed must be a whole number from 0"),
]


@pytest.fixture
def no_training(monkeypatch):
    """No step is taken."""
    monkeypatch.setattr(pretraining.SummedLoss, "forward", None)


@pytest.mark.parametrize(("wrong", "said"), WRONG, ids=str)
def test_bad_input(wrong, said, no_training):
    with pytest.raises(ValueError, match=said):
        pretrain(**{"steps": 1} | wrong)


@pytest.mark.parametrize("wrong", [{"steps": 1.5}, {"d_model": "8"}, {"seed": None}], ids=str)
def test_bad_types(wrong, no_training):
    with pytest.raises(TypeError, match=f"{next(iter(wrong))} must be a whole number"):
        pretrain(**{"steps": 1} | wrong)


SHELL = [
    ("--learning-rate nan", "--learning-rate must be a number above 0, not nan"),
    ("--tokens-per-step 0", "--tokens-per-step must be a whole number from 1"),
    ("--mask-rate 0", "--mask-rate must be a number above 0 and at most 1"),
    ("--checkpoint-every 0", "--checkpoint-every must be a whole number from 1"),
    ("--d-model -16", "--d-model must be a whole number from 1"),
    (f"--seed {10**23}", "--seed must be a whole number from 0"),
]


@pytest.mark.parametrize(("words", "said"), SHELL, ids=[words for words, _ in SHELL])
def test_the_shell_speaks_of_its_own_options(words, said, capsys, no_training):
    assert command_line.main(["pretrain", *TINY_WORDS, *words.split()]) == 2
    assert capsys.readouterr().err.startswith(said)


@pytest.mark.parametrize("option", ["--folder", "--output"])
def test_a_place_that_cannot_be_written_is_found_before_the_first_step(
    option, tmp_path, no_training
):
    """Fault: the path is a file. The user reads so at once; the file stays."""
    (tmp_path / "afile").write_text("mine")
    for path in (tmp_path / "afile", tmp_path / "afile" / "below"):
        with pytest.raises(ValueError, match="is not a folder"):
            pretraining.run(parsed(option, str(path)))
    assert (tmp_path / "afile").read_text() == "mine"


def test_a_model_that_cannot_be_saved_is_saved_elsewhere(tmp_path, monkeypatch):
    """Fault: the disk is full at the end. The user reads where the model is instead."""

    def full(lm, folder):
        if folder == tmp_path / "model":
            raise OSError("No space left on device")
        save(lm, folder)

    monkeypatch.setattr(pretraining, "save", full)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    words = ("--steps", "1", "--tokens-per-step", "60", "--output", str(tmp_path / "model"))
    with pytest.raises(ValueError, match=r"No space left.* is in \S+kept-") as told:
        pretraining.run(parsed(*words))
    elsewhere = str(told.value).split(" is in ")[1].removesuffix(".")
    assert load_causal_lm(elsewhere, device="cpu").model.config.n_embd == 16


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


def test_muon_takes_the_matrices_of_the_layers():
    model = build_model("masked", build_tokenizer(), n_layer=1, d_model=8, n_head=2)
    (alone,), (muon, rest) = build_optimizers(model), build_optimizers(model, "muon")
    split = [len(optimizer.param_groups[0]["params"]) for optimizer in (muon, rest)]
    assert sum(split) == len(alone.param_groups[0]["params"]) == len(list(model.parameters()))
    assert split[0] == 7  # query, key, value and output, two of the MLP, one of the head


# ---- several processes


class Rank:
    """What the loop needs of an Accelerator, for one of several processes that average their
    gradients.
    """

    device, is_main_process = torch.device("cpu"), False

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
def test_averaged_gradients_are_those_of_the_mean_loss(
    objective, n_processes, tokenizer, monkeypatch
):
    """Muon and AdamW hardly notice a wrong scale of the gradient: equal losses alone do not show a
    right one.
    """
    torch.manual_seed(0)
    model = build_model(objective, tokenizer, n_layer=1, d_model=16, n_head=2)
    settings = SimpleNamespace(objective=objective, steps=1, learning_rate=0.1, warmup_steps=0)
    settings.decay_steps, settings.checkpoint_every = 0, 1
    for tokens_per_step, most in ((1, MOST_PLACES), (600, MOST_PLACES), (3000, 256)):
        monkeypatch.setattr(pretraining, "MOST_PLACES", most)  # in one pass, or in many
        batches, kept, losses = Batches(objective, tokenizer, tokens_per_step, seed=1), [], []
        for rank in range(n_processes):
            kept.append(Keep(model))
            network, history = pretraining.SummedLoss(model), []
            loop = Rank(rank, n_processes), network, kept[-1:], batches, settings, history
            pretraining._train(*loop, keep=lambda: None)
            losses += [line["loss"] for line in history]
        batch = batches[0]
        mean = network(**batch) / max(1, int((batch["labels"] != -100).sum()))
        expected = torch.cat(
            [g.flatten() for g in torch.autograd.grad(mean, list(model.parameters()))]
        )
        found = sum(keep.gradients for keep in kept) / n_processes
        assert torch.allclose(found, expected, atol=1e-6)
        assert sum(losses) == pytest.approx(mean.item(), rel=1e-5)


@pytest.mark.parametrize("n_processes", [1, 2, 3])
def test_processes_share_the_rows(n_processes, tokenizer, monkeypatch):
    """Every labelled place is asked once, and every process makes as many passes."""
    monkeypatch.setattr(pretraining, "MOST_PLACES", 300)
    for tokens_per_step in (1, 600):
        batch = Batches("causal", tokenizer, tokens_per_step)[0]
        parts = [list(shares(batch, Rank(rank, n_processes))) for rank in range(n_processes)]
        assert len({len(mine) for mine in parts}) == 1
        asked = [part["labels"][part["labels"] != -100] for mine in parts for part in mine]
        everything = batch["labels"][batch["labels"] != -100]
        assert torch.cat(asked).sort().values.tolist() == everything.sort().values.tolist()


TWICE = f"""
import sys
from helpers import __main__ as command_line
from helpers.lab.pretraining import pretrain

pretrain("causal", steps=50, folder=f"{{sys.argv[1]}}/causal", **{TINY | {"tokens_per_step": 80}})
command = ["pretrain", *sys.argv[2:], "--folder", f"{{sys.argv[1]}}/masked"]
sys.exit(command_line.main(command))
"""


def test_two_processes_learn_what_one_learns(tmp_path):
    """One batch is a single row, which one of them reads; another has five.

    Both objectives share one start of the two processes, the second by way of the command line.
    """
    words = "--objective masked --steps 50 --tokens-per-step 600 --warmup-steps 2 --decay-steps 2"
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


# ---- models kept on the way


def test_models_kept_on_the_way_are_those_of_the_steps(tmp_path):
    whole, _ = pretrain("causal", 3, **TINY, folder=tmp_path, keep_at=(0, 2, 3))
    assert sorted(path.name for path in tmp_path.glob("step-*")) == ["step-0", "step-2", "step-3"]
    for steps, folder in ((0, "step-0"), (3, "step-3")):
        kept = load_causal_lm(str(tmp_path / folder), device="cpu").model.state_dict()
        torch.manual_seed(0)
        new = build_model("causal", build_tokenizer(), 1, 16, 2)
        expected = (whole.model if steps else new).state_dict()
        for name, tensor in expected.items():
            torch.testing.assert_close(kept[name], tensor.half().float(), rtol=0, atol=0)


def test_keeping_models_changes_nothing_of_the_training(tmp_path):
    _, plain = pretrain("masked", 3, **TINY)
    _, kept = pretrain("masked", 3, **TINY, folder=tmp_path, keep_at=(1, 2))
    assert [row["loss"] for row in plain] == [row["loss"] for row in kept]


def test_models_are_kept_in_a_folder(tmp_path):
    with pytest.raises(ValueError, match="Models are kept in a folder: name one with folder="):
        pretrain("causal", 3, **TINY, keep_at=(1,))
    with pytest.raises(ValueError, match="keep_at must be a whole number from 0"):
        pretrain("causal", 3, **TINY, keep_at=(-1,), folder=tmp_path)
