"""Pre-training from scratch: one loop for both objectives, on Hugging Face Accelerate.

Every step draws fresh PocketWeb documents, one per row, and feeds them to the model with the labels
that `DataCollatorForLanguageModeling` makes: every next token for a causal model, the hidden tokens
for a masked one. The documents of a step depend on the seed and the step alone, whatever the number
of processes and the device, so a resumed run continues the same curve and eight GPUs read what one
CPU reads:

    python -m helpers pretrain --objective causal --folder checkpoints/causal
    accelerate launch -m helpers pretrain --objective causal --folder checkpoints/causal

Left out: mixed objectives, texts from files, a choice of optimisers.
"""

import functools
import inspect
import time
from pathlib import Path

import torch
from accelerate import Accelerator, PartialState
from tqdm.auto import tqdm
from transformers import GPT2LMHeadModel

from helpers.lab import pocketweb
from helpers.lab.architecture import OBJECTIVES, build_model, build_tokenizer, check_objective, save
from helpers.lab.batches import Batches
from helpers.lab.muon import Muon
from helpers.lab.resuming import resume, save_checkpoint
from helpers.models import LanguageModel, load_causal_lm, load_masked_lm


class SummedLoss(torch.nn.Module):
    """A language model with its training loss: nats, summed over the predicted tokens.

    The head runs only where something is predicted. Accelerate wraps this module, so that all of
    the gradient is averaged over the processes.
    """

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, labels, attention_mask):
        causal = isinstance(self.model, GPT2LMHeadModel)  # its padding stands on the right
        mask = None if causal or attention_mask.all() else attention_mask
        output = self.model.base_model(input_ids, attention_mask=mask)
        hidden = output.last_hidden_state  # [rows, tokens, d_model]
        if causal:
            hidden, labels = hidden[:, :-1], labels[:, 1:]
        predicted = labels != -100
        head = self.model.lm_head if causal else self.model.cls
        logits = head(hidden[predicted]).float()  # [predicted tokens, vocabulary]
        return torch.nn.functional.cross_entropy(logits, labels[predicted], reduction="sum")


def build_optimizers(model):
    """Muon for the matrices of the layers, AdamW for embeddings, biases and normalisations.

    Example:
        >>> model = build_model("causal", build_tokenizer(), n_layer=1, d_model=8, n_head=2)
        >>> muon, adamw = build_optimizers(model)
        >>> len(muon.param_groups[0]["params"])
        4
    """
    tables = [module for module in model.modules() if isinstance(module, torch.nn.Embedding)]
    embeddings = {id(table.weight) for table in tables}
    matrices = [p for p in model.parameters() if p.ndim == 2 and id(p) not in embeddings]
    others = [p for p in model.parameters() if p.ndim != 2 or id(p) in embeddings]
    adamw = torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    return Muon(matrices), adamw


def learning_rate_at(step, steps, peak, warmup_steps, decay_steps):
    """Linear warm-up, a plateau, and a linear decay to zero at the end.

    Example:
        >>> [learning_rate_at(step, 8, 1.0, warmup_steps=2, decay_steps=4) for step in range(8)]
        [0.5, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    return peak * min(1.0, (step + 1) / max(1, warmup_steps), (steps - step) / max(1, decay_steps))


def pretrain(
    objective="causal",
    steps=1000,
    n_layer=4,
    d_model=128,
    n_head=4,
    learning_rate=2e-3,
    tokens_per_step=3072,
    mask_rate=0.4,
    warmup_steps=100,
    decay_steps=250,
    genres=None,
    seed=0,
    start_from=None,
    folder=None,
    checkpoint_every=500,
):
    """Pre-train a language model on fresh PocketWeb text.

    Args:
        objective: "causal" or "masked".
        steps: optimiser steps; each reads `tokens_per_step` tokens (or a few more).
        n_layer, d_model, n_head: the size of the model.
        learning_rate: the peak; linear warm-up over `warmup_steps`, linear decay over the last
            `decay_steps`.
        mask_rate: share of the tokens that a masked model has to fill in.
        genres: genres to read (all of them by default).
        seed: decides the initial weights, the texts and the masks.
        start_from: a model of this size, by name or folder, whose training goes on; by default one
            with random weights.
        folder: where checkpoints go, every `checkpoint_every` steps. A run that finds one there
            continues it.

    Returns:
        (LanguageModel, history): history is a list of dicts with step, tokens (read so far), loss
        (nats per predicted token), learning_rate and seconds. Interrupted by Ctrl-C, a run writes
        its checkpoint and returns what it has.

    Raises:
        ValueError: for an unknown objective or genre, a model to start from of another size, or a
            checkpoint of a run with another shape or seed.
        ModelNotAvailable: the model to start from cannot be had.

    Example:
        >>> small = {"n_layer": 1, "d_model": 16, "n_head": 2, "tokens_per_step": 256}
        >>> lm, history = pretrain("causal", steps=2, **small)
        >>> lm.name, history[-1]["step"]
        ('causal-16', 2)
    """
    model, tokenizer = _new_model(objective, n_layer, d_model, n_head, seed, start_from)
    accelerator = Accelerator()
    reading = tokens_per_step, mask_rate, genres, seed
    batches = Batches(objective, tokenizer, *reading, accelerator.device)
    optimizers = build_optimizers(model)
    shape = {"objective": objective, "n_layer": n_layer, "d_model": d_model, "n_head": n_head}
    state = shape | {"seed": seed}, model, optimizers
    history = resume(folder, *state)
    mine = folder if accelerator.is_main_process else None
    keep = functools.partial(save_checkpoint, mine, *state, history)
    schedule = {"warmup_steps": warmup_steps, "decay_steps": decay_steps}
    rate_at = functools.partial(learning_rate_at, steps=steps, peak=learning_rate, **schedule)
    network, *optimizers = accelerator.prepare(SummedLoss(model), *optimizers)
    reports = _train(accelerator, network, optimizers, batches, rate_at, steps, history)
    _collect(reports, history, steps, keep, checkpoint_every, accelerator.print)
    return LanguageModel(model, tokenizer, f"{objective}-{d_model}"), history


def _collect(reports, history, steps, keep, checkpoint_every, say):
    """Put the reports of the steps into the history, and keep what was learned, now and then."""
    try:
        for report in reports:
            history.append(report)
            if report["step"] % checkpoint_every == 0:
                keep()
    except KeyboardInterrupt:
        done = f"Interrupted after {len(history)} of {steps} steps"
        say(f"\n{done}; what was learned so far is kept.")
    keep()


def _new_model(objective, n_layer, d_model, n_head, seed, start_from):
    """A model with weights from the seed, or those of another one, and its tokenizer."""
    check_objective(objective)
    torch.manual_seed(seed)
    tokenizer = build_tokenizer()
    model = build_model(objective, tokenizer, n_layer, d_model, n_head)
    if start_from:
        _copy_weights(start_from, objective, model)
    return model, tokenizer


def _train(accelerator, network, optimizers, batches, rate_at, steps, history):
    """Take the steps that the history lacks: yields a report of each, drawing a bar."""
    done, tokens, seconds = 0, 0, 0.0
    if history:
        done, tokens, seconds = (history[-1][key] for key in ("step", "tokens", "seconds"))
    started = time.perf_counter() - seconds
    network.train()
    what = f"{batches.objective} model"
    quiet = not accelerator.is_main_process
    with tqdm(total=steps, initial=done, desc=what, disable=quiet) as bar:
        for step, batch in enumerate(batches.between(done, steps), start=done):
            rate = rate_at(step)
            loss = _train_step(accelerator, network, optimizers, rate, batch)
            tokens += sum(int(part["attention_mask"].sum()) for part in batch)
            seconds = round(time.perf_counter() - started, 2)
            report = {"step": step + 1, "tokens": tokens, "loss": loss}
            yield report | {"learning_rate": rate, "seconds": seconds}
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
            bar.update()


def _copy_weights(name, objective, model):
    load = load_causal_lm if objective == "causal" else load_masked_lm
    try:
        model.load_state_dict(load(name, device="cpu").model.state_dict())
    except RuntimeError as error:
        raise ValueError(f"{name} is a model of another size than the one to train.") from error


def _train_step(accelerator, network, optimizers, learning_rate, batch):
    """One step of the optimisers on this process's share of the batch: the loss of all of it."""
    n_processes = accelerator.num_processes
    n_predicted = sum(int((part["labels"][:, 1:] != -100).sum()) for part in batch)  # never a start
    total = torch.zeros((), device=accelerator.device)
    for part in batch:
        mine = _share_of(part, accelerator.process_index, n_processes)
        loss = network(**{name: tensor.to(accelerator.device) for name, tensor in mine.items()})
        # Accelerate averages over the processes; what is wanted is the mean over all tokens.
        accelerator.backward(loss * (n_processes / max(1, n_predicted)))
        total += loss.detach()
    for optimizer in optimizers:
        optimizer.param_groups[0]["lr"] = learning_rate
        optimizer.step()
        optimizer.zero_grad()
    return accelerator.reduce(total, "sum").item() / max(1, n_predicted)


def _share_of(part, rank, n_processes):
    """The rows of a micro-batch for one process; without any, one that counts for nothing."""
    mine = {name: tensor[rank::n_processes] for name, tensor in part.items()}
    if len(mine["labels"]):
        return mine
    mine = {name: tensor[:1] for name, tensor in part.items()}
    return mine | {"labels": torch.full_like(mine["labels"], -100)}


OPTIONS = {  # arguments of `pretrain` that are numbers
    "steps": "optimiser steps",
    "n_layer": "layers",
    "d_model": "width",
    "n_head": "attention heads",
    "learning_rate": "peak learning rate",
    "tokens_per_step": "tokens that an optimiser step reads",
    "mask_rate": "share of the tokens that a masked model has to fill in",
    "warmup_steps": "steps of warm-up",
    "decay_steps": "steps of decay at the end",
    "seed": "decides the initial weights, the texts and the masks",
    "checkpoint_every": "steps between checkpoints",
}


def add_arguments(parser):
    """The options of `python -m helpers pretrain`; all but --output are those of `pretrain`."""
    defaults = inspect.signature(pretrain).parameters
    shown, add = "(default: %(default)s)", parser.add_argument
    add("--objective", choices=OBJECTIVES, default="causal", help=shown)
    for name, meaning in OPTIONS.items():
        default, option = defaults[name].default, f"--{name.replace('_', '-')}"
        add(option, type=type(default), default=default, help=f"{meaning} {shown}")
    add("--genres", nargs="+", help=f"some of: {', '.join(pocketweb.language().genres)}")
    add("--start-from", metavar="MODEL", help="go on with this model, by name or folder")
    add("--folder", type=Path, help="checkpoints go here; a run that finds one continues it")
    add("--output", type=Path, help="write the finished model here, in half precision")


def run(arguments):
    """Run `python -m helpers pretrain` with parsed arguments, alone or as one of several."""
    options = vars(arguments).copy()
    output = options.pop("output")
    lm, history = pretrain(**options)
    state = PartialState()
    if state.is_main_process and history:
        last = history[-1]
        read = f"{last['step']:,} steps, {last['tokens']:,} tokens"
        print(f"{lm.name}: {read}, loss {last['loss']:.3f} nats per token")
        print(f"number of processes: {state.num_processes}")
    if state.is_main_process and output:
        save(lm, output)
    state.destroy_process_group()
