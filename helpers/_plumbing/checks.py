"""What bad input gets: one plain sentence that says what was wrong, what is allowed and what to do.

Every check runs before any model does, and raises a ValueError or a TypeError; nothing is repaired
silently.
"""

import math
from contextlib import contextmanager
from numbers import Integral, Real
from typing import NamedTuple

from helpers._plumbing.checkpoints import PURPOSE, is_short_memory
from helpers._plumbing.words import plain_number, shown, warn

LOWEST_TEMPERATURE = 0.001  # divided by less, logits leave the range of 32-bit numbers
LONGEST_TOKEN = 128  # characters; that of GPT-2 and above that of most
MOST_SEQUENCES = 10_000  # texts written at once


class Settings(NamedTuple):
    """The checked arguments of one run of generation."""

    max_new_tokens: int
    do_sample: bool
    knobs: tuple  # temperature, top-k and top-p; empty where nothing is drawn
    seed: int | None


def check_text(lm, text, kind):
    """Tokenize a text for a model of that kind: `input_ids` [1, n_tokens] and what goes along."""
    if getattr(lm, "kind", None) not in PURPOSE:
        raise TypeError(f"The first argument must be a model from load_{kind}_lm, not {shown(lm)}.")
    if lm.kind != kind:
        other = f"This needs a {kind} one, from load_{kind}_lm."
        raise ValueError(f"{lm.name!r} is a {lm.kind} model. {other}")
    if not isinstance(text, str):
        such = "The text must be a string, such as 'Once upon a time'"
        raise TypeError(f"{such}, not {shown(text)}.")
    if not text:
        raise ValueError("The text is empty. Type at least one character.")
    if len(text) > LONGEST_TOKEN * lm.context:  # to read a million takes seconds
        fit = f"{lm.name!r} reads at most {lm.context:,} tokens, mostly words or parts of words"
        raise ValueError(f"The text has {len(text):,} characters. {fit}: shorten it.")
    if any("\ud800" <= character <= "\udfff" for character in text):
        half = "The text holds half a character (a lone surrogate)."
        raise ValueError(f"{half} Remove it, or type it anew.")
    encoding = lm.tokenizer(text, return_tensors="pt", verbose=False)
    if (n := encoding.input_ids.shape[1]) > lm.context:
        fit = f"{lm.name!r} reads at most {lm.context:,}: shorten it."
        raise ValueError(f"The text has {n:,} tokens. {fit}")
    check_ids(lm, encoding.input_ids[0].tolist())
    return encoding


def check_ids(lm, ids):
    """Refuse token ids that the model has no weights for: its tokenizer has had tokens added."""
    size = lm.model.config.vocab_size
    if unknown := [i for i in ids if i >= size]:
        token = lm.tokenizer.convert_ids_to_tokens(unknown[0])
        problem = f"The text holds {shown(token)}, which only the tokenizer of {lm.name!r} knows"
        fit = f"it is token {unknown[0]:,}, and the model knows {size:,}"
        advice = "Leave it out, or use model.resize_token_embeddings and train the model on it."
        raise ValueError(f"{problem}: {fit}. {advice}")


def encode(lm, prompt):
    """Check a prompt and turn it into token ids [1, n_tokens] on the model's device."""
    return check_text(lm, prompt, "causal").input_ids.to(lm.model.device)


def check_whole_number(value, name, lowest=1, highest=2**63 - 1):
    """The value as an int, if it is a whole number in the range, also NumPy's or PyTorch's."""
    number = plain_number(value, name, Integral)
    if not lowest <= number <= highest:
        allowed = f"a whole number from {lowest} to {highest}"
        raise ValueError(f"{name} must be {allowed}, not {shown(number)}.")
    return number


def check_number(value, name, highest=math.inf):
    """The value as a float, if it is above 0, finite, and no more than the highest."""
    number = plain_number(value, name, Real)
    if not 0 < number <= highest or number == math.inf:
        most = "" if highest == math.inf else f" and at most {highest:g}"
        raise ValueError(f"{name} must be a number above 0{most}, not {number}.")
    return number


def check_share(value, name):
    """The value as a float, if it is above 0 and at most 1."""
    return check_number(value, name, 1.0)


def check_sampling(temperature, top_k, top_p, lm):
    """The three knobs as plain numbers; a `top_k` or a `top_p` that cuts nothing becomes None."""
    temperature = plain_number(temperature, "temperature", Real)
    if not LOWEST_TEMPERATURE <= temperature < math.inf:
        least = f"a finite number of at least {LOWEST_TEMPERATURE}, such as 0.8"
        said = f"temperature must be {least}, not {temperature}."
        if 0 <= temperature < 1:
            said += " The limit towards 0 is greedy decoding: use do_sample=False."
        raise ValueError(said)
    top_k = 0 if top_k is None else check_whole_number(top_k, "top_k", 0)
    if top_k > (size := lm.model.config.vocab_size):
        warn(f"top_k={top_k} cuts nothing: the vocabulary has {size:,} tokens.")
    top_p = 1.0 if top_p is None else check_share(top_p, "top_p")
    return temperature, top_k if 0 < top_k < size else None, top_p if top_p < 1 else None


def check_run(lm, prompt, max_new_tokens, temperature, top_k, do_sample, seed, max_length, top_p):
    """The prompt's ids [1, n_prompt], and the other arguments of `generate_text` as Settings."""
    ids = encode(lm, prompt)
    max_new_tokens = _check_length(lm, ids.shape[1], max_new_tokens, max_length)
    if not isinstance(do_sample, bool):
        raise TypeError(f"do_sample must be True or False, not {shown(do_sample)}.")
    knobs = check_sampling(temperature, top_k, top_p, lm) if do_sample else ()
    if not do_sample:
        plain_number(temperature, "temperature", Real)
        plain_number(0 if top_k is None else top_k, "top_k", Integral)
        if top_p is not None:
            none = "With do_sample=False nothing is drawn, and top_p is about drawing"
            raise ValueError(f"{none}: leave top_p out, or draw.")
    seed = None if seed is None else check_whole_number(seed, "seed", 0)
    warn_of_unknown_words(lm, prompt)
    return ids, Settings(max_new_tokens, do_sample, knobs, seed)


def _check_length(lm, n_prompt, max_new_tokens, max_length):
    """How many tokens may be added to a prompt of so many, as an int."""
    if max_length is not None:
        max_new_tokens = check_whole_number(max_length, "max_length") - n_prompt
        if max_new_tokens < 1:
            advice = f"Use at least {n_prompt + 1}, or max_new_tokens instead."
            includes = f"max_length={max_length} includes the prompt's {n_prompt} tokens."
            raise ValueError(f"{includes} {advice}")
    max_new_tokens = check_whole_number(max_new_tokens, "max_new_tokens")
    if max_new_tokens > (room := lm.context - n_prompt):
        advice = f"Set max_new_tokens to at most {room}." if room else "Shorten the prompt."
        total = f"The prompt's {n_prompt} tokens and {max_new_tokens} new ones are more than"
        raise ValueError(f"{total} the {lm.context} that {lm.name!r} can read. {advice}")
    return max_new_tokens


def check_count(num_return_sequences, do_sample):
    """How many texts to write, as an int."""
    count = check_whole_number(num_return_sequences, "num_return_sequences", highest=MOST_SEQUENCES)
    if count > 1 and not do_sample:
        same = "With do_sample=False all texts are the same"
        raise ValueError(f"{same}: leave num_return_sequences at 1.")
    return count


@contextmanager
def enough_memory(lm, count):
    """Say what to do where the memory does not suffice to write so many texts."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_short_memory(error):
            raise
        problem = f"The memory of {lm.model.device} does not suffice to write {count:,} texts"
        advice = "Write fewer at once (num_return_sequences), shorter ones (max_new_tokens)"
        sentence = f"{problem} with {lm.name!r}. {advice}, or load a smaller model."
        raise ValueError(sentence) from error


def check_targets(lm, targets, after_space):
    """The ids of the words as tokens, at a place that comes after a space or does not."""
    if not isinstance(targets, list | tuple) or not all(isinstance(word, str) for word in targets):
        allowed = "a list of words, such as ['cat', 'dog']"
        raise TypeError(f"targets must be {allowed}, not {shown(targets)}.")
    if not targets:
        advice = "Name a word, or leave it out to consider the whole vocabulary."
        raise ValueError(f"targets is empty. {advice}")
    found = set()
    for word in targets:
        check_text(lm, word, "masked")
        written = f" {word}" if after_space and not word.startswith(" ") else word
        pieces = lm.tokenizer(written, add_special_tokens=False).input_ids
        if len(pieces) != 1 and word in lm.tokenizer.get_vocab():  # as it is spelled there: ##ing
            pieces = lm.tokenizer.convert_tokens_to_ids([word])
        if len(pieces) != 1 or pieces == [lm.tokenizer.unk_token_id]:
            problem = f"The target {shown(word)} is not one token of {lm.name!r}"
            advice = "and a blank holds exactly one. Choose another word."
            raise ValueError(f"{problem}, {advice}")
        found.update(pieces)
    return sorted(found)


def warn_of_unknown_words(lm, text):
    """Say in one line which words of the text a pocket model has never seen."""
    if words := lm.unknown_words(text):
        named = ", ".join(words[:8]) + (f" and {len(words) - 8} more" if len(words) > 8 else "")
        warn(f"{lm.name} has never seen: {named}. It reads them byte by byte.")
