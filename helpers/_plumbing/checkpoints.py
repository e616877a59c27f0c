"""Find the folder that holds a model, make sure that it is whole and may be opened, and read it.

The order is: bundled with this package, a folder on disk, the local cache, a download into the
cache (see `hub`). Only safetensors weights are read, no code of a checkpoint is ever run, and a
model of the wrong kind is refused from its configuration, before its weights are downloaded.
"""

import difflib
import json
import math
import os
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id
from safetensors import SafetensorError, safe_open
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer, GenerationConfig
from transformers.models.auto import configuration_auto, modeling_auto
from transformers.utils import logging

from helpers._plumbing import hub
from helpers._plumbing.files import DATA


class KnownModel(NamedTuple):
    """What can be said of a model before it is there."""

    kind: str
    n_params: int
    download_mb: int  # of its weights, in 10^6 bytes
    is_bundled: bool = False


KNOWN_MODELS = {  # a GPT-2 file also stores its causal masks, 4 MB in each layer
    "pocket-gpt2": KnownModel("causal", 1_171_328, 0, is_bundled=True),
    "pocket-bert": KnownModel("masked", 1_190_921, 0, is_bundled=True),
    "gpt2": KnownModel("causal", 124_439_808, 548),
    "distilgpt2": KnownModel("causal", 81_912_576, 353),
    "gpt2-medium": KnownModel("causal", 354_823_168, 1520),
    "gpt2-large": KnownModel("causal", 774_030_080, 3247),
    "bert-base-uncased": KnownModel("masked", 109_514_298, 438),
    "bert-large-uncased": KnownModel("masked", 335_174_458, 1341),
    "roberta-base": KnownModel("masked", 124_697_433, 499),
    "distilbert-base-uncased": KnownModel("masked", 66_985_530, 268),
    "albert-base-v2": KnownModel("masked", 11_221_680, 45),
}
PURPOSE = {
    "causal": "a causal model: it continues a text and cannot fill blanks",
    "masked": "a masked model: it fills blanks and does not continue a text",
}
_OTHER_MODEL = f"Choose another one, such as {', '.join(KNOWN_MODELS)}."


class ModelNotAvailable(RuntimeError):
    """The model cannot be had here. `reason` says why, `remedy` what to do; the message is both."""

    def __init__(self, reason, remedy):
        super().__init__(f"{reason} {remedy}")
        self.reason, self.remedy = reason, remedy


def shown(value):
    """What a sentence shows of a value from outside: its repr, cut short where it is long.

    Example:
        >>> shown("<b>"), len(shown("x" * 10**6)) < 100
        ("'<b>'", True)
    """
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write longer numbers
        return "a number of more than 4,300 digits"
    return text if len(text) <= 80 else f"{text[:60]} ... {text[-10:]}"


def names_of(kind):
    """The known models of a kind, or of both, the bundled one first."""
    return [name for name, known in KNOWN_MODELS.items() if kind in (None, known.kind)]


def on_disk(name):
    """The folder of a bundled model, or of the reader's own; None for a name of the hub."""
    if name in KNOWN_MODELS and KNOWN_MODELS[name].is_bundled:
        return DATA / name
    is_folder = os.path.isfile(os.path.join(name, "config.json"))  # False, too, for absurd names
    return Path(name) if is_folder else None


def find(name, kind=None):
    """The folder that holds a whole, readable model of that kind, downloaded where it is not here.

    Raises:
        ModelNotAvailable: it cannot be had, or a file is damaged.
        ValueError: it is not a model of that kind.
    """
    if name in KNOWN_MODELS:
        _check_kind(name, KNOWN_MODELS[name].kind, kind)
    folder = on_disk(name) or _from_hub(name, kind)
    _check_files(folder, name)
    _check_kind(name, _kind_of(folder, name), kind)
    return folder


def verify(folder, name):
    """Read every file of a folder in the cache and compare it with the digest that the hub gave."""
    for file in folder.iterdir():
        if not hub.genuine(file, file.resolve().name):
            raise _damaged(file, name, "it has changed since it was downloaded")


def read_model(folder, kind, name, device):
    """The model in a folder, in 32-bit numbers on the device, and its tokenizer."""
    local = {"local_files_only": True, "trust_remote_code": False}
    auto_class = AutoModelForCausalLM if kind == "causal" else AutoModelForMaskedLM
    with _quiet(), _short_memory_explained(folder, kind, name, device):
        tokenizer = AutoTokenizer.from_pretrained(folder, **local)
        options = {"dtype": torch.float32, "use_safetensors": True, "output_loading_info": True}
        model, report = auto_class.from_pretrained(folder, **options, **local)
        model = model.to(device)
    if report["missing_keys"]:
        missing = ", ".join(sorted(report["missing_keys"])[:3])
        raise ModelNotAvailable(
            f"{name!r} was not trained for this: it lacks {missing}.", _OTHER_MODEL
        )
    if kind == "causal":  # drop sampling habits that a checkpoint brings along
        ends = {
            name: getattr(model.generation_config, name)
            for name in ("bos_token_id", "eos_token_id")
        }
        model.generation_config = GenerationConfig(**ends)
    return model, tokenizer


def is_short_memory(error):
    """Whether an error says that the memory is too small; PyTorch has no class for that."""
    return isinstance(error, MemoryError) or "memory" in str(error)


@contextmanager
def _short_memory_explained(folder, kind, name, device):
    """Say what the model needs and which smaller one there is, where the memory is too small."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_short_memory(error):
            raise
        shapes = []
        for file in _weights(folder):
            with safe_open(file, "pt") as weights:
                names = list(weights.keys())
                shapes += [weights.get_slice(name).get_shape() for name in names]
        n_params = sum(map(math.prod, shapes))
        sizes = {other: KNOWN_MODELS[other].n_params for other in names_of(kind)}
        smaller = [other for other in sizes if sizes[other] < n_params and other != name]
        best = max(smaller, key=sizes.get, default=names_of(kind)[0])
        elsewhere = "" if device.type == "cpu" else ", or device='cpu'"
        needed = f"{name!r} needs {n_params * 4 / 1e9:.2g} GB of memory"
        reason, remedy = f"{needed}, more than {device} has to spare.", "Use a smaller one, such as"
        raise ModelNotAvailable(reason, f"{remedy} {best!r}{elsewhere}.") from None


def _from_hub(name, kind):
    """The folder of the local cache that holds the whole model, downloaded where it is not."""
    hint = _hint(name, kind)
    try:
        validate_repo_id(name)
        folder = hub.cached_folder(name)
        if not (folder and _weights(folder) and _vocabulary(folder)):
            folder = hub.fetch(name, "config.json")
            _check_kind(name, _kind_of(folder, name), kind)  # before anything else is downloaded
            weights_last = "*.json", "*.txt", "*.model", "model*.safetensors"
            folder = hub.fetch(name, *weights_last)
        return folder
    except HFValidationError:
        neither = "it is no folder with a config.json, and no name that a hub can have."
        reason = f"{shown(name)} is not available: {neither}{hint}"
        raise ModelNotAvailable(reason, _OTHER_MODEL) from None
    except hub.DownloadFailed as error:
        known = KNOWN_MODELS.get(name)
        size = f" ({known.download_mb} MB)" if known else ""
        once = f"With a connection, run `python -m helpers prefetch {name}`{size} once."
        bundled = names_of(known.kind if known else kind)[0]
        why = f"it is not in the local cache, and {str(error).rstrip('.')}."
        reason = f"{name!r} is not available: {why}{hint}"
        remedy = f"{error.remedy or once} Or use the bundled {bundled!r}."
        raise ModelNotAvailable(reason, remedy) from None


def _hint(name, kind):
    """A question about the known names that are spelled nearly like this one; or ""."""
    if name in KNOWN_MODELS:
        return ""
    near = difflib.get_close_matches(name.strip().lower(), names_of(kind), cutoff=0.5)
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""


def _weights(folder):
    """The safetensors files of a folder; none where a part is missing."""
    files = sorted(file for file in folder.glob("model*.safetensors") if file.is_file())
    parts = files[0].stem.rpartition("-of-")[2] if files else ""  # model-00001-of-00002
    return [] if parts.isdigit() and int(parts) != len(files) else files


def _vocabulary(folder):
    """The files of a folder that make a tokenizer."""
    patterns = ("tokenizer.json", "vocab.*", "*.model")
    return [file for pattern in patterns for file in folder.glob(pattern)]


def _kind_of(folder, name):
    """Tell from the configuration alone what a model is for."""
    config = _read_json(folder / "config.json", name)
    family = str(config.get("model_type"))
    if "auto_map" in config and family not in configuration_auto.CONFIG_MAPPING_NAMES:
        reason = f"{name!r} needs program code of its own, never run here."
        raise ModelNotAvailable(reason, _OTHER_MODEL)
    if family in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES and not config.get("is_decoder"):
        return "masked"
    if family in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        return "causal"
    neither = f"{name!r} is a {family!r} model, which neither writes nor fills blanks."
    raise ValueError(f"{neither} {_OTHER_MODEL}")


def _check_kind(name, found, wanted):
    if wanted not in (None, found):
        other = f"or name a {wanted} model, such as {names_of(wanted)[0]!r}."
        raise ValueError(f"{name!r} is {PURPOSE[found]}. Load it with load_{found}_lm, {other}")


def _check_files(folder, name):
    """Read the outline of every file, so that damage is reported under the file's name."""
    for file in sorted({folder / "config.json", *folder.glob("*.json")}):
        _read_json(file, name)
    for file in _weights(folder):
        try:
            with safe_open(file, "pt"):  # compares the header with the file's length
                pass
        except (OSError, SafetensorError) as error:
            raise _damaged(file, name, error) from None
    if not _weights(folder):
        reason = f"{name!r} has no complete safetensors weights. "
        reason += "Pickle is not opened: it can run any program."
        raise ModelNotAvailable(reason, _OTHER_MODEL)
    if not _vocabulary(folder):
        reason = f"{name!r} has no tokenizer: {folder} holds no tokenizer.json."
        raise ModelNotAvailable(reason, _OTHER_MODEL)


def _read_json(file, name):
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(file, name, error) from None
    if not isinstance(content, dict):
        raise _damaged(file, name, "it is not an object")
    return content


def _damaged(file, name, error):
    in_cache = file.parent.parent.name == "snapshots"  # its layout: model/snapshots/commit/file
    remedy = f"Delete {file.parents[2] if in_cache else file.parent} and load the model again."
    if file.is_relative_to(DATA):
        remedy = "Install this package again."
    return ModelNotAvailable(f"A file of {name!r} is missing or damaged: {file} ({error}).", remedy)


def checked_device(device):
    """The device asked for, if it is there; for None, a GPU where there is one."""
    if device is None:
        mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if mps else "cpu")
    try:
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, TypeError, ValueError):  # by kind of device
        advice = "Use 'cpu', or leave the device out to take the best."
        raise ValueError(f"The device {shown(device)} is not there. {advice}") from None
    return torch.device(device)


@contextmanager
def _quiet():
    """Keep transformers' progress bars and remarks about loading out of a notebook."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
