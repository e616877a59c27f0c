"""Load a language model by name: a bundled pocket model, a folder on disk, or one from the hub.

`load_causal_lm("gpt2", fallback="pocket-gpt2")` takes the local cache, else downloads, else says
why not and goes on with the bundled model. How files are found, read and downloaded is told in
`_plumbing`.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from helpers._plumbing.checkpoints import (
    KNOWN_MODELS,
    PURPOSE,
    ModelNotAvailable,
    checked_device,
    context_of,
    find,
    kind_of,
    names_of,
    on_disk,
    pocket_vocabulary,
    read_model,
    token_texts,
)
from helpers._plumbing.words import shown

__all__ = ["KNOWN_MODELS", "LanguageModel", "ModelNotAvailable", "load_causal_lm", "load_masked_lm"]


@dataclass(frozen=True, repr=False, eq=False)
class LanguageModel:
    """A model, its tokenizer and its name: what every function of `helpers` takes first.

    The loaders return one; `LanguageModel(model, tokenizer, name)` makes one of a model of your
    own, and switches it to evaluation (no dropout).

    Raises:
        TypeError: something that is no model, or no tokenizer, of transformers.

    Example:
        >>> lm = load_causal_lm("pocket-gpt2")
        >>> lm.kind, lm.context, len(lm.vocabulary) == lm.model.config.vocab_size
        ('causal', 256, True)
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    name: str

    def __post_init__(self):
        needed = (self.model, "can_generate"), (self.tokenizer, "convert_ids_to_tokens")
        if wrong := [part for part, method in needed if not hasattr(part, method)]:
            raise TypeError(f"It takes a model and a tokenizer, not {shown(wrong[0])}.")
        self.model.eval()

    @property
    def kind(self):
        """What it is for: "causal" or "masked"."""
        config = self.model.config
        known = kind_of(getattr(config, "model_type", ""), getattr(config, "is_decoder", False))
        return known or ("causal" if self.model.can_generate() else "masked")

    @property
    def n_params(self):
        """Number of parameters; those that two layers share count once."""
        return self.model.num_parameters()

    @property
    def context(self):
        """The largest number of tokens that the model can read at once."""
        return context_of(self.model, self.tokenizer)

    @cached_property
    def vocabulary(self):
        """The text of every token by its id, as many as the logits have columns; "" for no token.

        A token that is only a part of a character is shown as the tokenizer spells it.
        """
        return token_texts(self.tokenizer, self.model.config.vocab_size)

    @cached_property
    def knows_whole_words_only(self):
        """Whether its tokens are those of a pocket model: whole words, and bytes for all else."""
        return pocket_vocabulary().items() <= self.tokenizer.get_vocab().items()

    def unknown_words(self, text):
        """The words of the text that a pocket model has never seen; always none for a real model.

        A pocket model's tokens are whole words. It can read any other word byte by byte, but never
        met one.

        Example:
            >>> load_causal_lm("pocket-gpt2").unknown_words("Once upon a time, a chatbot")
            ['chatbot']
        """
        if not self.knows_whole_words_only:
            return []
        how = {"add_special_tokens": False, "return_offsets_mapping": True, "verbose": False}
        encoding = self.tokenizer(text, **how)
        spans = {}  # number of the word: where its tokens stand
        for word, span in zip(encoding.word_ids(), encoding["offset_mapping"], strict=True):
            spans.setdefault(word, []).append(span)
        broken = [
            text[parts[0][0] : parts[-1][1]].strip() for parts in spans.values() if len(parts) > 1
        ]
        return list(dict.fromkeys(filter(None, broken)))

    def __repr__(self):
        model, config = self.model, self.model.config
        return (
            f"{self.name}, {PURPOSE[self.kind]}\n"
            f"  {type(model).__name__}: {self.n_params:,} parameters "
            f"in {config.num_hidden_layers} layers\n"
            f"  {config.vocab_size:,} tokens in the vocabulary, {self.context:,} in the context\n"
            f"  {str(model.dtype).removeprefix('torch.')} on {model.device}"
        )


def load_causal_lm(name="gpt2", fallback=None, device=None, download=True):
    """Load a causal LM, a model that continues a text.

    Args:
        name: a bundled model ("pocket-gpt2"), one on the hub ("gpt2", "distilgpt2", ...), or a
            folder on disk.
        fallback: a bundled model or a folder, used where `name` cannot be had or loading is
            interrupted; one line is printed to say so.
        device: where to run, such as "cpu" or "cuda:0"; by default a GPU where there is one.
        download: False takes a model of the hub from the local cache only.

    Raises:
        ModelNotAvailable: it cannot be had and there is no fallback.
        ValueError, TypeError: a masked model, a device that is not there, a fallback that is not on
            this machine.

    Example:
        >>> load_causal_lm("pocket-gpt2").name
        'pocket-gpt2'
    """
    return _load("causal", name, fallback, device, download)


def load_masked_lm(name="bert-base-uncased", fallback=None, device=None, download=True):
    """Load a masked LM, a model that fills blanks.

    Arguments and errors are those of `load_causal_lm`.

    Example:
        >>> load_masked_lm("pocket-bert").kind
        'masked'
    """
    return _load("masked", name, fallback, device, download)


def _load(kind, name, fallback, device, download):
    for given in (name, name if fallback is None else fallback):
        if not isinstance(given, str | Path) or not str(given).strip():
            raise TypeError(f"A model is named by text, such as 'gpt2', not {shown(given)}.")
    if fallback is not None and not on_disk(str(fallback)):
        away = f"The fallback {shown(str(fallback))} is not on this machine"
        remedy = f"Use the bundled {names_of(kind)[0]!r}, or a folder that holds a model."
        raise ValueError(f"{away}, and a fallback must need no network. {remedy}")
    device = checked_device(device)

    def open_model(name):
        folder = find(name, kind, download=download)
        return LanguageModel(*read_model(folder, kind, name, device), name)

    try:
        return open_model(str(name))
    except (ModelNotAvailable, KeyboardInterrupt) as error:
        if fallback is None:
            raise
        why = getattr(error, "reason", f"Loading {shown(str(name))} was interrupted.")
        print(f"{why} Using {fallback!r} instead.")
    return open_model(str(fallback))
