"""The checkpoint of a training run: weights, optimiser states and history, in one file that a run
goes on from.
"""

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from helpers._plumbing.files import written_whole


def save_checkpoint(folder, shape, model, optimizers, history):
    """One file with weights, optimiser states and history; a half-written file never replaces a
    whole one.
    """
    states = {
        parameter: state for optimizer in optimizers for parameter, state in optimizer.state.items()
    }
    tensors = {}
    for name, parameter in model.named_parameters():
        tensors[f"model.{name}"] = parameter.detach().contiguous()
        tensors |= {f"{key}.{name}": value for key, value in states.get(parameter, {}).items()}
    Path(folder).mkdir(parents=True, exist_ok=True)
    metadata = {"shape": json.dumps(shape), "history": json.dumps(history)}
    with written_whole(Path(folder) / "checkpoint.safetensors") as part:
        save_file(tensors, part, metadata)


def resume(folder, shape, model, optimizers):
    """Load the checkpoint of a folder, if there is one, into model and optimisers; returns its
    history.
    """
    path = Path(folder) / "checkpoint.safetensors"
    if not path.exists():
        return []
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    if json.loads(metadata["shape"]) != shape:
        other = f"{metadata['shape']}, not {json.dumps(shape)}"
        raise ValueError(f"{path} belongs to another run: {other}. Use a new folder.")
    tensors = load_file(path)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(tensors[f"model.{name}"])
    names = {parameter: name for name, parameter in model.named_parameters()}
    for optimizer in optimizers:
        for parameter in optimizer.param_groups[0]["params"]:
            keys = {
                key: f"{key}.{names[parameter]}"
                for key in ("step", "exp_avg", "exp_avg_sq", "momentum_buffer")
            }
            optimizer.state[parameter] = {
                key: tensors[name] for key, name in keys.items() if name in tensors
            }
    return json.loads(metadata["history"])
