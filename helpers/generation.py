"""Write with a causal language model: score every token, choose one, add it, again.

`generate_text` draws what `model.generate` of transformers draws from the same seed, in a loop
that can be read here: `write_tokens` asks the model, `add_token` draws (or the likeliest is taken).
`stream_text` shows the text as it grows, `next_token_probabilities` the choice at one place. Beam
search and chat formats are left out.
"""

import collections
import math
from typing import NamedTuple

import torch

from helpers._plumbing.checks import (
    check_count,
    check_run,
    check_sampling,
    encode,
    enough_memory,
    warn_of_unknown_words,
)
from helpers._plumbing.passes import checked_logits, read_on


class TokenProbability(NamedTuple):
    """A token and its chance to come next."""

    token: str
    probability: float  # after temperature, top-k and top-p: 0.0 for a token that is cut


class GeneratedText(str):
    """A text, which also says in `ended` whether the model ended it, or its length cut it off."""

    ended = False


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
    top_p=None,
):
    """Continue a prompt. The `GeneratedText` returned begins with the prompt exactly as typed.

    Args:
        max_new_tokens: the most tokens to add; the model may end its text earlier.
        temperature: below 1 sharpens the distribution, above 1 flattens it.
        top_k: draw among the so many likeliest tokens only; None or 0 cuts nothing.
        do_sample: draw at random, or (False) take the likeliest token each time; temperature and
            top_k then play no part, and only their types are checked.
        seed: repeats the same draw on the same device, and leaves PyTorch's own random numbers as
            they were.
        num_return_sequences: how many continuations to write at once, at most 10,000; several come
            as a list.
        max_length: the most tokens of prompt and continuation together; if given, max_new_tokens
            plays no part.
        top_p: of what top-k leaves, draw among the likeliest tokens only, as many as it takes to
            hold this share of the probability; None or 1 cuts nothing.

    Raises:
        ValueError, TypeError: an argument that makes no sense, before the model runs; too little
            memory, or weights that are not numbers.

    Example:
        >>> from helpers.models import load_causal_lm
        >>> lm = load_causal_lm("pocket-gpt2")
        >>> text = generate_text(lm, "Once upon a time", max_new_tokens=5, seed=0)
        >>> text.startswith("Once upon a time"), text.ended
        (True, False)
    """
    ids, settings = check_run(
        lm, prompt, max_new_tokens, temperature, top_k, do_sample, seed, max_length, top_p
    )
    count = check_count(num_return_sequences, do_sample)
    with enough_memory(lm, count):
        steps = write_tokens(lm, ids.repeat(count, 1), settings)
        rows = collections.deque(steps, maxlen=1).pop()  # the last step's, [count, n_tokens]
    texts = [_text(lm, prompt, ids, row[ids.shape[1] :].tolist()) for row in rows]
    return texts[0] if count == 1 else texts


def _text(lm, prompt, ids, new):
    text = GeneratedText(prompt + decode_after(lm, ids, new))
    text.ended = not set(end_tokens(lm)).isdisjoint(new)
    return text


def write_tokens(lm, ids, settings):
    """Add a token to each row of ids [n, n_tokens] again and again, until every row has ended.

    Yields the ids after each step. A step reads the newest tokens alone: the cache keeps the rest.
    The random numbers are those of the model's device: another device draws another text.
    """
    generator, cache = None, None
    ended = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
    ends = torch.tensor(end_tokens(lm), dtype=ids.dtype, device=ids.device)
    if settings.seed is not None:
        generator = torch.Generator(ids.device).manual_seed(settings.seed)
    for _ in range(settings.max_new_tokens):
        logits, cache = read_on(lm, ids, cache)  # [n, vocab]
        if settings.do_sample:
            ids = add_token(ids, logits, *settings.knobs, generator)
        else:
            ids = torch.cat([ids, logits.argmax(-1, keepdim=True)], dim=1)
        yield ids
        ended |= torch.isin(ids[:, -1], ends)
        if ended.all():
            return


def add_token(ids, logits, temperature=1.0, top_k=None, top_p=None, generator=None):
    """Draw the next token of each row of ids [n, n_tokens] from its logits [n, vocab], and add it.

    Example:
        >>> add_token(torch.tensor([[5, 6]]), torch.tensor([[0.0, 9.0, 0.0]]), top_k=1)
        tensor([[5, 6, 1]])
    """
    probabilities = distribution(logits, temperature, top_k, top_p)  # [n, vocab]
    token = torch.multinomial(probabilities, 1, generator=generator)  # draw
    return torch.cat([ids, token], dim=1)  # append


def distribution(logits, temperature=1.0, top_k=None, top_p=None):
    """Turn logits [..., vocab] into probabilities, as transformers does.

    Example:
        >>> chances = distribution(torch.tensor([2.0, 1.0, 1.0, 0.0]), top_k=2)
        >>> [round(chance, 3) for chance in chances.tolist()]
        [0.576, 0.212, 0.212, 0.0]
    """
    scores = logits / temperature  # divide
    scores = scores.masked_fill(~kept_by(scores, top_k, top_p), -math.inf)  # cut
    return scores.softmax(-1)  # turn scores into probabilities that sum to 1


def kept_by(scores, top_k=None, top_p=None):
    """Which of the scores [..., vocab] are left by top-k, and of those by top-p.

    Scores that tie with the last one are kept by top-k, and not by top-p.

    Example:
        >>> scores = torch.tensor([2.0, 1.0, 1.0, 0.0])
        >>> kept_by(scores, top_k=2).tolist(), kept_by(scores, top_p=0.7).tolist()
        ([True, True, True, False], [True, False, True, False])
    """
    kept = torch.ones_like(scores, dtype=torch.bool)
    if top_k:
        largest = scores.topk(min(top_k, scores.shape[-1]), sorted=False).values
        kept = scores >= largest.amin(-1, keepdim=True)
    if top_p:
        rising, places = scores.masked_fill(~kept, -math.inf).sort()  # the likeliest last
        needed = rising.softmax(-1).cumsum(-1) > 1 - top_p  # without them too little is left
        needed[..., -1] = True  # the likeliest stays, however little is wanted
        kept = needed.scatter(-1, places, needed)
    return kept


def stream_text(
    lm,
    prompt,
    max_new_tokens=40,
    temperature=0.8,
    top_k=50,
    do_sample=True,
    seed=None,
    max_length=None,
    top_p=None,
):
    """Continue a prompt piece by piece. The pieces join to what `generate_text` adds.

    Arguments and errors are those of `generate_text`; errors come with the call, not with the first
    piece. A character made of several tokens comes in one piece. To stop, stop asking: nothing goes
    on in the background.

    Example:
        >>> from helpers.models import load_causal_lm
        >>> lm = load_causal_lm("pocket-gpt2")
        >>> options = {"max_new_tokens": 5, "seed": 0}
        >>> pieces = stream_text(lm, "Once upon", **options)
        >>> "Once upon" + "".join(pieces) == generate_text(lm, "Once upon", **options)
        True
    """
    ids, settings = check_run(
        lm, prompt, max_new_tokens, temperature, top_k, do_sample, seed, max_length, top_p
    )
    return _pieces(lm, ids, settings)


def _pieces(lm, ids, settings):
    text, told = "", 0
    for rows in write_tokens(lm, ids, settings):
        text = decode_after(lm, ids, rows[0, ids.shape[1] :].tolist())
        whole = text.rstrip("\ufffd")  # what a character in the making looks like
        if whole[told:]:
            yield whole[told:]
        told = max(told, len(whole))
    if text[told:]:
        yield text[told:]


def next_token_probabilities(lm, text, temperature=1.0, top_k=None, top_p=None):
    """The chance of every token of the vocabulary to follow the text, likeliest first.

    What top-k or top-p cuts keeps its place in the order, with a chance of 0. Errors are those of
    `generate_text`.

    Example:
        >>> from helpers.models import load_causal_lm
        >>> lm = load_causal_lm("pocket-gpt2")
        >>> choices = next_token_probabilities(lm, "Once upon a", top_k=3)
        >>> sum(choice.probability > 0 for choice in choices)
        3
    """
    encode(lm, text)
    knobs = check_sampling(temperature, top_k, top_p, lm)
    warn_of_unknown_words(lm, text)
    logits = next_token_logits(lm, text)  # [vocab]
    order = logits.argsort(descending=True, stable=True)
    tokens = [lm.vocabulary[i] for i in order.tolist()]
    chances = distribution(logits, *knobs)[order].tolist()
    return list(map(TokenProbability, tokens, chances))


def next_token_logits(lm, text):
    """The model's scores for the next token, [vocab], from one forward pass.

    Example:
        >>> from helpers.models import load_causal_lm
        >>> lm = load_causal_lm("pocket-gpt2")
        >>> next_token_logits(lm, "Once upon a").shape == (len(lm.vocabulary),)
        True
    """
    with torch.no_grad():
        return checked_logits(lm, lm.model(encode(lm, text)).logits[0, -1])


def end_tokens(lm):
    """The ids that end a text."""
    ends = lm.model.generation_config.eos_token_id
    return ends if isinstance(ends, list) else [] if ends is None else [ends]


def decode_after(lm, ids, new):
    """The text of new tokens, a list, up to the one that ends it, as read after ids [1, n]."""
    ends = end_tokens(lm)
    new = new[: next((n for n, token in enumerate(new) if token in ends), None)]
    last = ids[0, -8:].tolist()  # decoded along, as some tokenizers drop a space at the start
    options = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
    both, before = lm.tokenizer.batch_decode([last + new, last], **options)
    return both[len(before) :]
