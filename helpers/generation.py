"""Write with a causal language model, and look at the choice it has at every step.

`generate_text` is `model.generate` plus checks. `stream_text` writes the same text piece by piece,
in a plain loop whose step is `distribution`, which is also what the sliders show. Beam search,
top-p and chat formats are left out.
"""

import math
from contextlib import contextmanager
from typing import NamedTuple

import torch
from transformers import GenerationConfig

from helpers._plumbing.checks import (
    check_count,
    check_run,
    check_sampling,
    encode,
    enough_memory,
    warn_of_unknown_words,
)


class TokenProbability(NamedTuple):
    """A token and its chance to come next."""

    token: str
    probability: float  # after temperature and top-k: 0.0 for a token that is cut
    kept: bool
    before: float  # at the same temperature, without the cut


def generate_text(
    lm,
    prompt,
    max_new_tokens=40,
    temperature=0.8,
    top_k=50,
    do_sample=True,
    seed=None,
    num_return_sequences=1,
    max_length=None,
):
    """Continue a prompt. The text returned begins with the prompt exactly as typed.

    Args:
        max_new_tokens: the most tokens to add; the model may end its text earlier.
        temperature: below 1 sharpens the distribution, above 1 flattens it.
        top_k: draw among the so many likeliest tokens only; None or 0 cuts nothing.
        do_sample: draw at random, or (False) take the likeliest token each time; temperature and
            top_k then play no part, and only their types are checked.
        seed: repeats the same draw, and leaves PyTorch's own random numbers as they were.
        num_return_sequences: how many continuations to write at once, at most 10,000; several come
            as a list.
        max_length: the most tokens of prompt and continuation together; if given, max_new_tokens
            plays no part.

    Raises:
        ValueError, TypeError: an argument that makes no sense, before the model runs; too little
        memory.

    Example:
        >>> from helpers.models import load_causal_lm
        >>> text = generate_text(load_causal_lm("pocket-gpt2"), "Once upon a time", max_new_tokens=5, seed=0)
        >>> text.startswith("Once upon a time")
        True
    """
    ids, run = check_run(
        lm, prompt, max_new_tokens, temperature, top_k, do_sample, seed, max_length
    )
    count = check_count(num_return_sequences, do_sample)
    ends = end_tokens(lm)
    sampling = (
        {"temperature": run.temperature, "top_k": run.top_k or 0, "top_p": 1.0} if do_sample else {}
    )
    config = GenerationConfig(
        max_new_tokens=run.max_new_tokens,
        num_return_sequences=count,
        do_sample=do_sample,
        **sampling,
        eos_token_id=ends or None,
        pad_token_id=ends[0] if ends else 0,  # padded is what ends early
    )
    with enough_memory(lm, count), _random_numbers_from(run.seed, lm.model.device):
        rows = lm.model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config)
    texts = [prompt + decode_after(lm, ids, row[ids.shape[1] :].tolist()) for row in rows]
    return texts[0] if count == 1 else texts


def stream_text(
    lm,
    prompt,
    max_new_tokens=40,
    temperature=0.8,
    top_k=50,
    do_sample=True,
    seed=None,
    max_length=None,
):
    """Continue a prompt piece by piece. The pieces join to what `generate_text` adds with the same
    seed.

    Arguments and errors are those of `generate_text`; errors come with the call, not with the first
    piece. A character made of several tokens comes in one piece. To stop, stop asking: nothing goes
    on in the background.

    Example:
        >>> from helpers.models import load_causal_lm
        >>> lm = load_causal_lm("pocket-gpt2")
        >>> pieces = stream_text(lm, "Once upon", max_new_tokens=5, seed=0)
        >>> "Once upon" + "".join(pieces) == generate_text(lm, "Once upon", max_new_tokens=5, seed=0)
        True
    """
    ids, run = check_run(
        lm, prompt, max_new_tokens, temperature, top_k, do_sample, seed, max_length
    )
    return _stream(lm, ids, run)


def next_token_probabilities(lm, text, temperature=1.0, top_k=None):
    """The chance of every token of the vocabulary to follow the text, likeliest first, as
    `TokenProbability`.

    Errors are those of `generate_text`.

    Example:
        >>> from helpers.models import load_causal_lm
        >>> choices = next_token_probabilities(load_causal_lm("pocket-gpt2"), "Once upon a", top_k=3)
        >>> sum(c.kept for c in choices), round(sum(c.probability for c in choices), 6)
        (3, 1.0)
    """
    encode(lm, text)
    temperature, top_k = check_sampling(temperature, top_k, lm)
    warn_of_unknown_words(lm, text)
    columns = distribution(next_token_logits(lm, text), temperature, top_k)
    order = columns[-1].argsort(descending=True, stable=True)
    tokens = [lm.vocabulary[i] for i in order.tolist()]
    return list(map(TokenProbability, tokens, *(column[order].tolist() for column in columns)))


def next_token_logits(lm, text):
    """The model's scores for the next token, [vocab], from one forward pass.

    Example:
        >>> from helpers.models import load_causal_lm
        >>> lm = load_causal_lm("pocket-gpt2")
        >>> next_token_logits(lm, "Once upon a").shape == (len(lm.vocabulary),)
        True
    """
    with torch.no_grad():
        return lm.model(encode(lm, text)).logits[0, -1].float()


def distribution(logits, temperature=1.0, top_k=None):
    """Turn logits [vocab] into probabilities as transformers does: temperature, then top-k, then
    softmax.

    Tokens that tie with the last one kept are kept too.

    Returns:
        probabilities [vocab] after the cut, which tokens are kept [vocab], probabilities [vocab]
        without the cut.

    Example:
        >>> probabilities, kept, before = distribution(torch.tensor([2.0, 1.0, 1.0, 0.0]), top_k=2)
        >>> kept.tolist(), round(probabilities.sum().item(), 6)
        ([True, True, True, False], 1.0)
    """
    scores = logits / temperature  # [vocab]
    smallest = scores.kthvalue(max(1, len(scores) - top_k + 1)).values if top_k else -math.inf
    kept = scores >= smallest
    return scores.masked_fill(~kept, -math.inf).softmax(-1), kept, scores.softmax(-1)


def _stream(lm, ids, run):
    """Generate in a loop. Each step reads only the newest token: the cache keeps the rest."""
    generator = None if run.seed is None else torch.Generator(lm.model.device).manual_seed(run.seed)
    step, cache, written, text, told = ids, None, [], "", 0
    for _ in range(run.max_new_tokens):
        with torch.no_grad():
            output = lm.model(step, past_key_values=cache, use_cache=True)
        logits, cache = output.logits[0, -1].float(), output.past_key_values  # [vocab]
        if run.do_sample:
            chances = distribution(logits, run.temperature, run.top_k)[0]  # [vocab]
            step = torch.multinomial(chances, 1, generator=generator)[None]  # [1, 1]
        else:
            step = logits.argmax()[None, None]  # [1, 1]
        if step.item() in end_tokens(lm):
            break
        written.append(step.item())
        text = decode_after(lm, ids, written)
        whole = text.rstrip("\ufffd")  # what a character in the making looks like
        if whole[told:]:
            yield whole[told:]
        told = max(told, len(whole))
    if text[told:]:
        yield text[told:]


def end_tokens(lm):
    """The ids that end a text."""
    ends = lm.model.generation_config.eos_token_id
    return ends if isinstance(ends, list) else [] if ends is None else [ends]


def decode_after(lm, ids, new):
    """The text of a list of new tokens, up to the one that ends it, as read after token ids [1,
    n_tokens].
    """
    ends = end_tokens(lm)
    new = new[: next((n for n, token in enumerate(new) if token in ends), None)]
    last = ids[0, -8:].tolist()  # decoded along, as some tokenizers drop a space at the start
    options = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
    both, before = lm.tokenizer.batch_decode([last + new, last], **options)
    return both[len(before) :]


@contextmanager
def _random_numbers_from(seed, device):
    """Draw from the seed inside the block, and go on after it as if nothing had been drawn."""
    if seed is None:
        yield
        return
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
