"""The checkpoint of a training run, which goes on from it: weights, optimisers, history."""

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from helpers._plumbing.files import written_whole

STATES = ("step", "exp_avg", "exp_avg_sq", "momentum_buffer")  # what an optimiser remembers


def save_checkpoint(folder, run, model, optimizers, history):
    """Write weights, optimiser states and history as one file, whole or not at all.

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
    Path(folder).mkdir(parents=True, exist_ok=True)
    metadata = {"shape": json.dumps(run), "history": json.dumps(history)}
    with written_whole(Path(folder) / "checkpoint.safetensors") as part:
        save_file(tensors, part, metadata)


def resume(folder, run, model, optimizers):
    """Load the checkpoint of a folder, if there is one, into model and optimisers.

    Returns its history, [] where there is none. Raises ValueError for that of another run.
    """
    if not folder or not (path := Path(folder) / "checkpoint.safetensors").exists():
        return []
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    if json.loads(metadata["shape"]) != run:
        other = f"{metadata['shape']}, not {json.dumps(run)}"
        raise ValueError(f"{path} belongs to another run: {other}. Use a new folder.")
    tensors = load_file(path)
    names = {parameter: name for name, parameter in model.named_parameters()}
    with torch.no_grad():
        for parameter, name in names.items():
            parameter.copy_(tensors[f"model.{name}"])
    for optimizer in optimizers:
        for parameter in optimizer.param_groups[0]["params"]:
            keys = {key: f"{key}.{names[parameter]}" for key in STATES}
            kept = {key: tensors[name] for key, name in keys.items() if name in tensors}
            optimizer.state[parameter] = kept
    return json.loads(metadata["history"])
