"""Abilities: items with one right answer, and several rulers for the same answers of a model.

The items are unseen: sums that pre-training leaves out (`pocketweb.is_held_out`), phrases, labels
and people drawn anew. A model is asked once; every ruler measures the stored `Answer`, so that a
jump which only one ruler shows is in the ruler. A masked model gets as many blanks as the answer
has tokens and fills them from left to right. Left out: answers that may be said in several ways.
"""

import itertools
import math
import random
import re
from typing import NamedTuple

import numpy as np
import torch

from helpers._plumbing.checks import check_text, check_whole_number
from helpers._plumbing.passes import checked_logits
from helpers._plumbing.words import shown
from helpers.lab import pocketweb

LABELS = 6  # that a row of labelled examples may choose from
LABELLED = 2  # of them in a row
MOST_EXAMPLES = 7  # in a row, before the one that is asked


class Item(NamedTuple):
    """A question: the text before the answer, the answer, and how often a blind guess is right."""

    prompt: str
    answer: str
    chance: float


class Answer(NamedTuple):
    """What a model answered when greedy, and what it gave to the right tokens."""

    right: list  # the right tokens, as ids
    greedy: list  # the likeliest tokens one after the other, as many
    probabilities: list  # of each right token, after the right ones before it
    squares: list  # sum of the squared probabilities of all tokens at that place


class Score(NamedTuple):
    """A mean over items with its standard error."""

    mean: float
    standard_error: float


def _drawing(n_items, seed):
    return check_whole_number(n_items, "n_items"), check_whole_number(seed, "seed", 0)


def sums(digits, n_items, seed=0):
    """Sums of two numbers of so many digits that pre-training leaves out; ten or so of one digit.

    Raises:
        ValueError, TypeError: no whole number of items above zero, or of digits from 1 to 15.

    Example:
        >>> [item.prompt + item.answer for item in sums(2, 1)]
        ['59+63=122']
    """
    digits = check_whole_number(digits, "digits", 1, 15)
    n_items, seed = _drawing(n_items, seed)
    numbers = range(0 if digits == 1 else 10 ** (digits - 1), 10**digits)
    rng, items, tried = random.Random(seed), {}, 0
    while len(items) < n_items and tried < 200 * n_items:
        a, b = rng.choice(numbers), rng.choice(numbers)
        tried += 1
        if pocketweb.is_held_out(f"{a}+{b}={a + b}"):
            items[a, b] = Item(f"{a}+{b}=", str(a + b), 1 / (2 * len(numbers) - 1))
    return list(items.values())


def echoes(n_words, n_items, seed=0):
    """A phrase of so many random words, said twice; the answer says it once more.

    Raises:
        ValueError, TypeError: no whole number of words or of items above zero.

    Example:
        >>> [item.answer for item in echoes(3, 1)]
        [' trumpet spider lamp']
    """
    n_words = check_whole_number(n_words, "n_words")
    n_items, seed = _drawing(n_items, seed)
    said = "\n".join(pocketweb.sample(300, 0, ["echo"]))
    words, rng = sorted(set(re.findall(r"\b[a-z]+", said))), random.Random(seed)
    phrases = (" ".join(rng.choices(words, k=n_words)) for _ in range(n_items))
    return [Item(f"Echo: {it}. {it}.", f" {it}", len(words) ** -n_words) for it in phrases]


def few_shot(n_examples, n_items, seed=0, right_labels=True):
    """Labelled examples in a row, their labels new words each time; the answer is one more label.

    Both labels stand in the row, unless there are fewer examples. With `right_labels=False` the
    labels of the examples are drawn at random from the two: a model that still answers as before
    did not read them. A blind guess says one of the two, if there is an example, and else any
    label.

    Raises:
        ValueError, TypeError: no whole number of items above zero, or of examples from 0 to 7, the
            most that PocketWeb has in a row.

    Example:
        >>> few_shot(2, 1)[0].prompt.count(chr(10))
        2
    """
    n_examples = check_whole_number(n_examples, "n_examples", 0, MOST_EXAMPLES)
    n_items, seed = _drawing(n_items, seed)
    rng, items, texts = random.Random(seed), [], _texts("examples", seed)
    while len(items) < n_items:
        lines = [line.rsplit(": ", 1) for line in next(texts).split("\n")][: n_examples + 1]
        labels = sorted({label for _, label in lines[:-1]})
        if len(lines) <= n_examples or len(labels) < min(LABELLED, n_examples):
            continue
        *examples, (asked, answer) = lines
        said = [(name, label if right_labels else rng.choice(labels)) for name, label in examples]
        prompt = "\n".join([*(f"{name}: {label}" for name, label in said), f"{asked}:"])
        items.append(Item(prompt, f" {answer}", 1 / (LABELLED if examples else LABELS)))
    return items


def _texts(genre, seed):
    """Texts of a genre without end."""
    for round in itertools.count():
        yield from pocketweb.sample(500, seed * 1000 + round, [genre])


def story_questions(n_items, seed=0):
    """Who did what to whom: a short text about people, and a question that a name answers.

    Raises:
        ValueError, TypeError: no whole number of items above zero.

    Example:
        >>> item = story_questions(1)[0]
        >>> item.answer.strip() in item.prompt
        True
    """
    n_items, seed = _drawing(n_items, seed)
    items, texts = [], _texts("role", seed)
    while len(items) < n_items:
        if found := re.fullmatch(r"(.* Who [^?]*\?)( [A-Z]\w*)\.", next(texts), re.DOTALL):
            names = set(re.findall(r"\b[A-Z][a-z]+", found[1])) - {"Then", "Who"}
            items.append(Item(found[1], found[2], 1 / len(names)))
    return items


ITEMS = {  # ability: its items
    "sums of 1 digit": lambda: sums(1, 200),
    "sums of 2 digits": lambda: sums(2, 200),
    "sums of 3 digits": lambda: sums(3, 200),
    "echo of 4 words": lambda: echoes(4, 200),
    **{f"few-shot, {k} examples": lambda k=k: few_shot(k, 200) for k in (0, 1, 3, 5, 7)},
    "few-shot, 7 examples, random labels": lambda: few_shot(7, 200, right_labels=False),
    "who did what to whom": lambda: story_questions(200),
}


def answer(lm, items, batch_size=64):
    """Ask a model: an `Answer` for each item, in their order.

    Raises:
        ValueError: an item that the model cannot be asked: too long for it, or with an answer for
            which it has no tokens; weights that are not numbers.

    Example:
        >>> from helpers.models import load_causal_lm
        >>> [given] = answer(load_causal_lm("pocket-gpt2"), echoes(3, 1))
        >>> len(given.right) == len(given.greedy) == len(given.probabilities)
        True
    """
    batch_size = check_whole_number(batch_size, "batch_size")
    asked = [_in_tokens(lm, item) for item in items]
    prompts, rights = ([one[n] for one in asked] for n in range(2))
    end = asked[0][2] if asked else []  # what a BERT expects at the end of a text
    alike = {}
    for i, (prompt, right) in enumerate(zip(prompts, rights, strict=True)):
        alike.setdefault((len(prompt), len(right)), []).append(i)
    given = {}
    for places in alike.values():
        for start in range(0, len(places), batch_size):
            chosen = places[start : start + batch_size]
            rows = (torch.tensor([ids[i] for i in chosen]) for ids in (prompts, rights))
            given |= zip(chosen, _answer_rows(lm, *rows, end), strict=True)
    return [given[i] for i in range(len(items))]


def _in_tokens(lm, item):
    """The ids of an item's prompt, its answer, and what the tokenizer puts at the end of a text."""
    ids = check_text(lm, item.prompt + item.answer, lm.kind).input_ids[0].tolist()
    bare = lm.tokenizer(item.prompt, add_special_tokens=False).input_ids
    whole = lm.tokenizer(item.prompt + item.answer, add_special_tokens=False).input_ids
    start = next((n for n in range(len(ids)) if ids[n : n + len(whole)] == whole), None)
    right = whole[len(bare) :]
    own = right and whole[: len(bare)] == bare and lm.tokenizer.unk_token_id not in right
    if start is None or not own:
        cannot = f"{lm.name!r} has no tokens of their own for the answer {shown(item.answer)}"
        raise ValueError(f"{cannot} to {shown(item.prompt)}. Ask another model, or other items.")
    return ids[: start + len(bare)], right, ids[start + len(whole) :]


def _answer_rows(lm, prompts, rights, end):
    """Answers to prompts [n, n_prompt] whose right answers [n, n_answer] are equally long."""
    greedy, kept = rights[:, :0], []
    for done in range(rights.shape[1]):
        # What stands there so far, [2n, n_tokens]
        context = torch.cat([prompts.repeat(2, 1), torch.cat([rights[:, :done], greedy])], dim=1)
        n_blanks = rights.shape[1] - done
        told, own = _next_token(lm, context, n_blanks, end).chunk(2)  # [n, vocab] each
        greedy = torch.cat([greedy, own.argmax(-1, keepdim=True)], dim=1)
        kept.append((told.gather(1, rights[:, done : done + 1])[:, 0], told.square().sum(-1)))
    columns = zip(*kept, strict=True)
    probabilities, squares = (torch.stack(column, dim=1).tolist() for column in columns)
    return list(map(Answer, rights.tolist(), greedy.tolist(), probabilities, squares))


def _next_token(lm, context, n_blanks, end):
    """The model's probabilities [n, vocab] for the token after the context [n, n_tokens]."""
    place = context.shape[1] if lm.kind == "masked" else -1
    if lm.kind == "masked":
        blanks = torch.tensor([lm.tokenizer.mask_token_id] * n_blanks + end)
        context = torch.cat([context, blanks.repeat(len(context), 1)], dim=1)
    with torch.no_grad():
        logits = lm.model(context.to(lm.model.device)).logits
    return checked_logits(lm, logits[:, place]).softmax(-1).cpu()


def exact_match(given):
    """1 if every greedy token is right, else 0."""
    return float(given.greedy == given.right)


def token_probability(given):
    """The geometric mean of the probabilities of the right tokens, as if each were as likely."""
    if 0 in given.probabilities:
        return 0.0
    return math.exp(sum(map(math.log, given.probabilities)) / len(given.probabilities))


def edit_distance(given):
    """Tokens to insert, delete or replace until the greedy answer is the right one (Levenshtein).

    Example:
        >>> edit_distance(Answer([1, 2, 3], [2, 3, 4], [], []))
        2
    """
    row = list(range(len(given.right) + 1))
    for i, said in enumerate(given.greedy, start=1):
        before, row = row, [i]
        for j, right in enumerate(given.right, start=1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (said != right)))
    return row[-1]


def brier(given):
    """Mean over the tokens of the squared distance between probabilities and truth: 0 to 2."""
    pairs = zip(given.probabilities, given.squares, strict=True)
    return sum(1 - 2 * p + square for p, square in pairs) / len(given.squares)


RULERS = {
    "exact match": exact_match,
    "edit distance": edit_distance,
    "token probability": token_probability,
    "Brier score": brier,
}


def score(answers, ruler):
    """The mean of a ruler over answers, with its standard error: nan for a single answer.

    Raises:
        ValueError: no answers.

    Example:
        >>> score([Answer([1], [1], [], []), Answer([1], [2], [], [])], exact_match)
        Score(mean=0.5, standard_error=0.5)
    """
    values = np.array([ruler(given) for given in answers], dtype=float)
    if not len(values):
        raise ValueError("There are no answers to measure. Ask a model at least one item.")
    n = len(values)
    error = values.std(ddof=1).item() / math.sqrt(n) if n > 1 else math.nan
    return Score(values.mean().item(), error)
