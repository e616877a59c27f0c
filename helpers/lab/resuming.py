"""The checkpoint of a training run, which goes on from it: weights, optimisers, history."""

import contextlib
import json
import signal
import threading
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from helpers._plumbing.files import written_somewhere, written_whole

STATES = ("step", "exp_avg", "exp_avg_sq", "momentum_buffer")  # what an optimiser remembers


@contextlib.contextmanager
def uninterrupted():
    """Ctrl-C waits for the end of the block: what belongs together happens altogether.

    Ctrl-C reaches the main thread only; in another one there is nothing to wait for.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting = []
    before = signal.signal(signal.SIGINT, lambda *_: waiting.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if waiting:
        signal.raise_signal(signal.SIGINT)


def save_checkpoint(folder, run, model, optimizers, history):
    """Write weights, optimiser states and history as one file, whole or not at all.

    Raises ValueError, as `written_somewhere` does, where the folder cannot be written to.

    Args:
        folder: where; None writes nothing.
        run: a dict that says which run this is.
    """
    if not folder:
        return
    states, tensors = {}, {}
    for optimizer in optimizers:
        states |= optimizer.state
    for name, parameter in model.named_parameters():
        tensors[f"model.{name}"] = parameter.detach().contiguous()
        tensors |= {f"{key}.{name}": value for key, value in states.get(parameter, {}).items()}
    metadata = {"run": json.dumps(run), "history": json.dumps(history)}

    def write(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with written_whole(folder / "checkpoint.safetensors") as part:
            save_file(tensors, part, metadata)

    written_somewhere(folder, write)


def resume(folder, run, model, optimizers, steps):
    """Load the checkpoint of a folder, if there is one, into model and optimisers.

    Returns its history, [] where there is none. Raises ValueError for that of another run, of more
    steps than are asked for, or one that cannot be read, which is put aside.
    """
    if not folder or not (path := Path(folder) / "checkpoint.safetensors").exists():
        return []
    tensors, metadata = _contents(path)
    _check_same(path, json.loads(metadata["run"]), run)
    history = json.loads(metadata["history"])
    if len(history) > steps:
        asked = f"{path} has taken {len(history):,} steps already, and {steps:,} are asked for"
        raise ValueError(f"{asked}. Ask for at least {len(history):,}, or use a new folder.")
    names = {parameter: name for name, parameter in model.named_parameters()}
    with torch.no_grad():
        for parameter, name in names.items():
            parameter.copy_(tensors[f"model.{name}"])
    for optimizer in optimizers:
        for parameter in optimizer.param_groups[0]["params"]:
            keys = {key: f"{key}.{names[parameter]}" for key in STATES}
            kept = {key: tensors[name] for key, name in keys.items() if name in tensors}
            if kept:
                optimizer.state[parameter] = kept
    return history


def _contents(path):
    """Tensors and metadata of a checkpoint; a damaged one is renamed, so that none is lost."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
        if {"run", "history"} <= metadata.keys():
            return load_file(path), metadata
        problem = "it was not written by this version of the loop"
    except SafetensorError as error:
        problem = str(error)
    aside = path.with_name(f"unreadable-{path.name}")
    path.replace(aside)
    said = f"{path} cannot be read ({problem}); it is now called {aside.name}."
    raise ValueError(f"{said} Run again to train from the beginning.")


def _check_same(path, stored, run):
    different = [name for name in run if stored.get(name) != run[name]]
    if different:
        there = ", ".join(f"{name} {json.dumps(stored.get(name))}" for name in different)
        here = ", ".join(f"{name} {json.dumps(run[name])}" for name in different)
        raise ValueError(f"{path} belongs to another run: {there}; not {here}. Use a new folder.")
