"""Pre-training from scratch: one loop for both objectives, on Hugging Face Accelerate.

Every step draws fresh PocketWeb documents and asks the model about their tokens: every next token
for a causal model, the hidden tokens for a masked one. The documents of a step depend on the seed
and the step alone, whatever the number of processes and the device, so a resumed run continues the
same curve and eight GPUs read what one CPU reads:

    python -m helpers pretrain --objective causal --folder checkpoints/causal
    accelerate launch -m helpers pretrain --objective causal --folder checkpoints/causal

Left out: mixed objectives, texts from files, validation while training.
"""

import copy
import functools
import hashlib
import inspect
import math
import os
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import torch
from accelerate import Accelerator, PartialState
from torch.nn import functional
from tqdm.auto import tqdm
from transformers import GPT2LMHeadModel

from helpers._plumbing.checks import check_number, check_share, check_whole_number
from helpers._plumbing.files import writable_folder, written_somewhere
from helpers.lab import pocketweb
from helpers.lab.architecture import OBJECTIVES, build_model, build_tokenizer, check_objective, save
from helpers.lab.batches import Batches
from helpers.lab.muon import Muon
from helpers.lab.resuming import resume, save_checkpoint, uninterrupted
from helpers.models import LanguageModel, load_causal_lm, load_masked_lm

LOOP = 2  # the version of the loop; 1 read one document a row, and Muon was its default
OPTIMIZERS = ("adamw", "muon")
MOST_PLACES = 2**14  # of rows, padding included, in one pass through a model
SCORED_AT_ONCE = 256  # tokens, whose scores then fit into the cache of a processor
# Without the steps a second: it fits a narrow page
BAR = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"
INTERRUPTED = "\nInterrupted after {} of {} steps; what was learned so far is kept."
count, from_0 = check_whole_number, functools.partial(check_whole_number, lowest=0)
OPTIONS = {  # arguments of `pretrain` that are numbers: their meaning, and what they must be
    "steps": ("optimiser steps", count),
    "n_layer": ("layers", count),
    "d_model": ("width", count),
    "n_head": ("attention heads", count),
    "learning_rate": ("peak learning rate", check_number),
    "tokens_per_step": ("tokens that an optimiser step reads", count),
    "mask_rate": ("share of the tokens that a masked model has to fill in", check_share),
    "warmup_steps": ("steps of warm-up", from_0),
    "decay_steps": ("steps of decay at the end", from_0),
    "seed": ("decides the initial weights, the texts and the masks", from_0),
    "checkpoint_every": ("steps between checkpoints", count),
}


class SummedLoss(torch.nn.Module):
    """A language model with its training loss: nats, summed over the predicted tokens.

    The head runs only where something is predicted, on a CPU for a few tokens at a time: a pass
    with all at once takes 1.03 to 1.12 times as long (`tests/benchmarks/test_training.py`).
    Accelerate wraps this module, so that all of the gradient is averaged over the processes.
    """

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, position_ids, labels, attention_mask):
        places = {"position_ids": position_ids, "attention_mask": attention_mask}
        hidden = self.model.base_model(input_ids, **places).last_hidden_state
        if causal := isinstance(self.model, GPT2LMHeadModel):  # each place answers for the next
            hidden, labels = hidden[:, :-1], labels[:, 1:]
        hidden, labels = hidden[labels != -100], labels[labels != -100]  # [predicted tokens, ...]
        head = self.model.lm_head if causal else self.model.cls
        if hidden.device.type != "cpu":
            return functional.cross_entropy(head(hidden).float(), labels, reduction="sum")
        nats = 0.0
        for x, y in zip(hidden.split(SCORED_AT_ONCE), labels.split(SCORED_AT_ONCE), strict=True):
            nats = nats + functional.cross_entropy(head(x).float(), y, reduction="sum").double()
        return nats


def build_optimizers(model, name="adamw"):
    """The optimisers of a run, as a list: AdamW, or Muon for matrices and AdamW for the rest.

    "muon", which made the pocket models and the sweep, gives the matrices of the layers to Muon and
    leaves embeddings, biases and normalisations to AdamW.

    Example:
        >>> model = build_model("causal", build_tokenizer(), n_layer=1, d_model=8, n_head=2)
        >>> muon, adamw = build_optimizers(model, "muon")
        >>> len(muon.param_groups[0]["params"])
        4
    """
    adamw = functools.partial(torch.optim.AdamW, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    if name == "adamw":
        return [adamw(model.parameters())]
    tables = [module for module in model.modules() if isinstance(module, torch.nn.Embedding)]
    embeddings = {id(table.weight) for table in tables}
    matrices = [p for p in model.parameters() if p.ndim == 2 and id(p) not in embeddings]
    others = [p for p in model.parameters() if p.ndim != 2 or id(p) in embeddings]
    return [Muon(matrices), adamw(others)]


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
    optimizer="adamw",
    genres=None,
    grammar=None,
    seed=0,
    start_from=None,
    folder=None,
    checkpoint_every=500,
    keep_at=(),
):
    """Pre-train a language model on fresh PocketWeb text.

    Args:
        objective: "causal" or "masked".
        steps: optimiser steps; each reads `tokens_per_step` tokens (or a few more).
        n_layer, d_model, n_head: the size of the model.
        learning_rate: the peak; linear warm-up over `warmup_steps`, linear decay over the last
            `decay_steps`.
        mask_rate: share of the tokens that a masked model has to fill in.
        optimizer: "adamw", or "muon" as `build_optimizers` says.
        genres: genres to read (all of them by default).
        grammar: a grammar file to read instead of PocketWeb, such as a changed copy of
            `helpers/data/pocketweb.grammar`. New words get tokens of their own.
        seed: decides the initial weights, the texts and the masks.
        start_from: a model of this size, by name or folder, whose training goes on; by default one
            with random weights.
        folder: where checkpoints go, every `checkpoint_every` steps. A run that finds one there
            continues it.
        keep_at: steps after which the model is kept in the folder too, as `step-64` for
            `load_causal_lm`; 0 is the model before the first step.

    Returns:
        (LanguageModel, history): history is a list of dicts with step, tokens (read so far), loss
        (nats per predicted token), learning_rate and seconds. Interrupted by Ctrl-C, a run writes
        its checkpoint and returns what it has.

    Raises:
        ValueError, TypeError: before the first step, for an unknown objective, optimiser or genre,
            a grammar that cannot be read, genres and a grammar at once, a number out of range, a
            folder that cannot be written to, a model to start from of another size, or a checkpoint
            that is damaged, of another run, or of more steps. Later, for a text of a grammar that
            is longer than the model reads, and a loss that is no longer a finite number; the
            checkpoint is then that of the step before.
        ModelNotAvailable: the model to start from cannot be had.

    Example:
        >>> small = {"n_layer": 1, "d_model": 16, "n_head": 2, "tokens_per_step": 256}
        >>> lm, history = pretrain("causal", steps=2, **small)
        >>> lm.name, history[-1]["step"]
        ('causal-16', 2)
    """
    settings = _settings_of(locals())
    model, tokenizer = _new_model(settings)
    accelerator = Accelerator()
    reading = settings.tokens_per_step, settings.mask_rate, settings.genres, settings.seed
    batches = Batches(objective, tokenizer, *reading)
    state = _identity(settings), model, build_optimizers(model, optimizer)
    history = resume(folder, *state, settings.steps)
    mine = folder if accelerator.is_main_process else None
    keep = functools.partial(save_checkpoint, mine, *state, history)
    network, *optimizers = accelerator.prepare(SummedLoss(model), *state[-1])
    try:
        _train(accelerator, network, optimizers, batches, settings, history, keep)
    except KeyboardInterrupt:
        accelerator.print(INTERRUPTED.format(len(history), settings.steps))
    return LanguageModel(model, tokenizer, f"{objective}-{settings.d_model}"), history


def _train(accelerator, network, optimizers, batches, settings, history, keep):
    """Take the steps that the history lacks, and add each to it."""
    network.train()
    done, whole, n_processes = len(history), True, accelerator.num_processes
    tokens, seconds = (history[-1]["tokens"], history[-1]["seconds"]) if history else (0, 0.0)
    started, bar = time.perf_counter() - seconds, _bar(settings, done, accelerator)
    _keep_model(accelerator, network, batches.tokenizer, settings, done)
    try:
        for step, batch in enumerate(_ahead(batches, done, settings, accelerator), start=done):
            n_predicted = max(1, int((batch["labels"] != -100).sum()))
            nats = torch.zeros((), device=accelerator.device)
            for part in shares(batch, accelerator):
                loss = network(**part)
                # Accelerate averages over the processes; wanted is the mean over all tokens
                accelerator.backward(loss * (n_processes / n_predicted))
                nats += loss.detach()
            mean = _finite(accelerator.reduce(nats, "sum").item() / n_predicted, step + 1)
            report = {"step": step + 1, "tokens": tokens + batches.n_tokens(batch), "loss": mean}
            report["learning_rate"] = _rate_at(step, settings)
            with uninterrupted():
                whole = False
                _update(optimizers, report["learning_rate"])
                tokens, seconds = report["tokens"], round(time.perf_counter() - started, 2)
                history.append(report | {"seconds": seconds})
                whole = True
            bar.set_postfix(loss=f"{mean:.3f}", refresh=False)
            bar.update()
            if (step + 1) % settings.checkpoint_every == 0:
                keep()
            _keep_model(accelerator, network, batches.tokenizer, settings, step + 1)
    finally:
        bar.close()
        if whole:
            keep()


def _keep_model(accelerator, network, tokenizer, settings, step):
    """The model after a step, if it is one of those to keep, in a folder of its own."""
    if accelerator.is_main_process and step in settings.keep_at:
        model = copy.deepcopy(accelerator.unwrap_model(network).model)
        save(LanguageModel(model, tokenizer, ""), Path(settings.folder) / f"step-{step}")


def shares(batch, accelerator):
    """This process's rows of a batch, on its device, as many at once as one pass can hold.

    Every process gets as many parts. One without rows gets a row in which nothing is predicted.
    """
    rank, n_processes = accelerator.process_index, accelerator.num_processes
    n_rows, width = batch["labels"].shape
    size = n_processes * max(1, MOST_PLACES // width)
    for first in range(0, n_rows, size):
        part = {name: tensor[first : first + size] for name, tensor in batch.items()}
        mine = {name: tensor[rank::n_processes] for name, tensor in part.items()}
        if not len(mine["labels"]):
            mine = {name: tensor[:1] for name, tensor in part.items()}
            mine["labels"] = torch.full_like(mine["labels"], -100)
        yield {name: tensor.to(accelerator.device) for name, tensor in mine.items()}


def _update(optimizers, rate):
    for optimizer in optimizers:
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        optimizer.zero_grad()


def _ahead(batches, done, settings, accelerator):
    """The batches that are left; for a GPU, made ahead of time by the other cores."""
    on_cpu = accelerator.device.type == "cpu"
    return batches.between(done, settings.steps, 0 if on_cpu else max(1, os.cpu_count() - 1))


def _bar(settings, done, accelerator):
    look = {"desc": f"{settings.objective} model", "bar_format": BAR}
    quiet = not accelerator.is_main_process
    return tqdm(total=settings.steps, initial=done, disable=quiet, **look)


def _rate_at(step, settings):
    schedule = settings.warmup_steps, settings.decay_steps
    return learning_rate_at(step, settings.steps, settings.learning_rate, *schedule)


def _finite(loss, step):
    if math.isfinite(loss):
        return loss
    advice = "Use a lower learning rate, or a longer warm-up."
    raise ValueError(f"The loss of step {step} is {loss}: the training came apart. {advice}")


def _settings_of(arguments):
    """The arguments of `pretrain`, numbers as plain ones, if all of them make sense."""
    check_objective(arguments["objective"])
    if arguments["optimizer"] not in OPTIMIZERS:
        allowed = " or ".join(f'"{name}"' for name in OPTIMIZERS)
        raise ValueError(f"The optimizer must be {allowed}, not {arguments['optimizer']!r}.")
    if arguments["grammar"] is not None:
        if arguments["genres"]:
            raise ValueError("Give genres, which are PocketWeb's, or a grammar, not both.")
        arguments["genres"] = Path(arguments["grammar"])
    pocketweb.language(arguments["genres"])
    if arguments["folder"]:
        writable_folder(arguments["folder"])
    numbers = {name: check(arguments[name], name) for name, (_, check) in OPTIONS.items()}
    last = functools.partial(check_whole_number, lowest=0, highest=numbers["steps"])
    numbers["keep_at"] = [last(step, "keep_at") for step in arguments["keep_at"]]
    if numbers["keep_at"] and not arguments["folder"]:
        raise ValueError("Models are kept in a folder: name one with folder=.")
    return SimpleNamespace(**arguments | numbers)


def _identity(settings):
    """What must be the same for a run to go on."""
    names = ("objective", "n_layer", "d_model", "n_head", "seed", "tokens_per_step", "optimizer")
    same = {name: getattr(settings, name) for name in names} | {"loop": LOOP}
    genres, grammar = sorted(pocketweb.language(settings.genres).genres), None
    if pocketweb.is_grammar_file(settings.genres):
        grammar = hashlib.sha256(Path(settings.genres).read_bytes()).hexdigest()[:12]
    return same | {"genres": genres, "grammar": grammar}


def _new_model(settings):
    """A model with weights from the seed, or those of another one, and its tokenizer."""
    torch.manual_seed(settings.seed)
    tokenizer, objective = build_tokenizer(settings.genres), settings.objective
    size = settings.n_layer, settings.d_model, settings.n_head
    model = build_model(objective, tokenizer, *size)
    if settings.start_from:
        load = load_causal_lm if objective == "causal" else load_masked_lm
        other = load(settings.start_from, device="cpu").model
        shapes = [{k: v.shape for k, v in m.state_dict().items()} for m in (model, other)]
        if shapes[0] != shapes[1]:
            size = "of another size or kind than the one to train"
            raise ValueError(f"{settings.start_from} is a model {size}.")
        model.load_state_dict(other.state_dict())
    return model, tokenizer


class Training(NamedTuple):
    """A training to look back on: {step: LanguageModel}, the history, and the genres read."""

    models: dict
    history: list
    genres: tuple | None


def watched(keep_at, **settings):
    """Train as `pretrain` does and keep the model at some steps, and at the end: a `Training`.

    Example:
        >>> small = {"n_layer": 1, "d_model": 16, "n_head": 2, "tokens_per_step": 256}
        >>> list(watched((0, 1), objective="causal", steps=2, **small).models)
        [0, 1, 2]
    """
    with tempfile.TemporaryDirectory() as folder:
        lm, history = pretrain(folder=folder, keep_at=keep_at, **settings)
        load = load_causal_lm if lm.kind == "causal" else load_masked_lm
        models = {}
        for path in sorted(Path(folder).glob("step-*"), key=lambda path: int(path.name[5:])):
            kept = load(str(path), device=str(lm.model.device))
            models[int(path.name[5:])] = LanguageModel(kept.model, lm.tokenizer, path.name)
    return Training(models | {len(history): lm}, history, settings.get("genres"))


def add_arguments(parser):
    """The options of `python -m helpers pretrain`; all but --output are those of `pretrain`."""
    defaults = inspect.signature(pretrain).parameters
    shown, add = "(default: %(default)s)", parser.add_argument
    add("--objective", choices=OBJECTIVES, default="causal", help=shown)
    for name, (meaning, _) in OPTIONS.items():
        default, option = defaults[name].default, f"--{name.replace('_', '-')}"
        add(option, type=type(default), default=default, help=f"{meaning} {shown}")
    add("--optimizer", choices=OPTIMIZERS, default=OPTIMIZERS[0], help=shown)
    add("--genres", nargs="+", help=f"some of: {', '.join(pocketweb.language().genres)}")
    mine = "read the texts of this grammar instead, such as a changed copy of PocketWeb's"
    add("--grammar", type=Path, metavar="FILE", help=mine)
    add("--start-from", metavar="MODEL", help="go on with this model, by name or folder")
    kept = {"nargs": "+", "type": int, "default": (), "help": "keep the model here too"}
    add("--keep-at", metavar="STEP", **kept)
    add("--folder", type=Path, help="checkpoints go here; a run that finds one continues it")
    add("--output", type=Path, help="write the finished model here, in half precision")


def run(arguments):
    """Run `python -m helpers pretrain` with parsed arguments, alone or as one of several."""
    options = vars(arguments).copy()
    if output := options.pop("output"):
        writable_folder(output)
    lm, history = pretrain(**options)
    state = PartialState()
    if state.is_main_process and history:
        last = history[-1]
        read = f"{last['step']:,} steps, {last['tokens']:,} tokens"
        print(f"{lm.name}: {read}, loss {last['loss']:.3f} nats per token")
        print(f"number of processes: {state.num_processes}")
    if state.is_main_process and output:
        written_somewhere(output, functools.partial(save, lm))
    state.destroy_process_group()
