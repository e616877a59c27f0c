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

from helpers.lab import pocketweb

LABELS = 6  # that a row of labelled examples may choose from
LABELLED = 2  # of them in a row


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


def sums(digits, n_items, seed=0):
    """Sums of two numbers of so many digits that pre-training leaves out; ten or so of one digit.

    Example:
        >>> [item.prompt + item.answer for item in sums(2, 1)]
        ['59+63=122']
    """
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

    Example:
        >>> [item.answer for item in echoes(3, 1)]
        [' trumpet spider lamp']
    """
    words = sorted(
        {
            word
            for text in pocketweb.sample(300, 0, ["echo"])
            for word in re.findall(r"\b[a-z]+", text)
        }
    )
    rng = random.Random(seed)
    phrases = (" ".join(rng.choices(words, k=n_words)) for _ in range(n_items))
    return [
        Item(f"Echo: {phrase}. {phrase}.", f" {phrase}", len(words) ** -n_words)
        for phrase in phrases
    ]


def few_shot(n_examples, n_items, seed=0, right_labels=True):
    """Labelled examples in a row, their labels new words each time; the answer is one more label.

    Both labels stand in the row, unless there are fewer examples. With `right_labels=False` the
    labels of the examples are drawn at random from the two: a model that still answers as before
    did not read them. A blind guess says one of the two, if there is an example, and else any
    label.

    Example:
        >>> few_shot(2, 1)[0].prompt.count(chr(10))
        2
    """
    rng, items = random.Random(seed), []
    for round in itertools.count():
        for text in pocketweb.sample(500, seed * 1000 + round, ["examples"]):
            lines = [line.rsplit(": ", 1) for line in text.split("\n")][: n_examples + 1]
            labels = sorted({label for _, label in lines[:-1]})
            if (
                len(lines) <= n_examples
                or len(labels) < min(LABELLED, n_examples)
                or len(items) == n_items
            ):
                continue
            *examples, (asked, answer) = lines
            said = [
                (name, label if right_labels else rng.choice(labels)) for name, label in examples
            ]
            prompt = "\n".join([*(f"{name}: {label}" for name, label in said), f"{asked}:"])
            items.append(Item(prompt, f" {answer}", 1 / (LABELLED if examples else LABELS)))
        if len(items) == n_items:
            return items


def story_questions(n_items, seed=0):
    """Who did what to whom: a short text about people, and a question that a name answers.

    Example:
        >>> item = story_questions(1)[0]
        >>> item.answer.strip() in item.prompt
        True
    """
    items = []
    for round in itertools.count():
        for text in pocketweb.sample(500, seed * 1000 + round, ["role"]):
            found = re.fullmatch(r"(.* Who [^?]*\?)( [A-Z]\w*)\.", text, re.DOTALL)
            if found and len(items) < n_items:
                names = set(re.findall(r"\b[A-Z][a-z]+", found[1])) - {"Then", "Who"}
                items.append(Item(found[1], found[2], 1 / len(names)))
        if len(items) == n_items:
            return items


ITEMS = {  # ability: its items
    "sums of 1 digit": lambda: sums(1, 200),
    "sums of 2 digits": lambda: sums(2, 200),
    "sums of 3 digits": lambda: sums(3, 200),
    "echo of 4 words": lambda: echoes(4, 200),
    **{f"few-shot, {k} examples": lambda k=k: few_shot(k, 200) for k in (0, 1, 3, 5, 7)},
    "few-shot, 7 examples, wrong labels": lambda: few_shot(7, 200, right_labels=False),
    "who did what to whom": lambda: story_questions(200),
}


def answer(lm, items, batch_size=64):
    """Ask a model: an `Answer` for each item, in their order.

    Example:
        >>> from helpers.models import load_causal_lm
        >>> [given] = answer(load_causal_lm("pocket-gpt2"), echoes(3, 1))
        >>> len(given.right) == len(given.greedy) == len(given.probabilities)
        True
    """
    prompts = [lm.tokenizer(item.prompt).input_ids for item in items]
    rights = [lm.tokenizer(item.answer, add_special_tokens=False).input_ids for item in items]
    alike = {}
    for i, (prompt, right) in enumerate(zip(prompts, rights, strict=True)):
        alike.setdefault((len(prompt), len(right)), []).append(i)
    given = {}
    for places in alike.values():
        for start in range(0, len(places), batch_size):
            chosen = places[start : start + batch_size]
            rows = (torch.tensor([ids[i] for i in chosen]) for ids in (prompts, rights))
            given |= zip(chosen, _answer_rows(lm, *rows), strict=True)
    return [given[i] for i in range(len(items))]


def _answer_rows(lm, prompts, rights):
    """Answers to prompts [n, n_prompt] whose right answers [n, n_answer] are equally long."""
    greedy, kept = rights[:, :0], []
    for done in range(rights.shape[1]):
        # What stands there so far, [2n, n_tokens]
        context = torch.cat([prompts.repeat(2, 1), torch.cat([rights[:, :done], greedy])], dim=1)
        told, own = _next_token(lm, context, rights.shape[1] - done).chunk(2)  # [n, vocab] each
        greedy = torch.cat([greedy, own.argmax(-1, keepdim=True)], dim=1)
        kept.append((told.gather(1, rights[:, done : done + 1])[:, 0], told.square().sum(-1)))
    probabilities, squares = (
        torch.stack(column, dim=1).tolist() for column in zip(*kept, strict=True)
    )
    return list(map(Answer, rights.tolist(), greedy.tolist(), probabilities, squares))


def _next_token(lm, context, n_blanks):
    """The model's probabilities [n, vocab] for the token after the context [n, n_tokens]."""
    if lm.kind == "masked":
        context = torch.nn.functional.pad(context, (0, n_blanks), value=lm.tokenizer.mask_token_id)
    with torch.no_grad():
        logits = lm.model(context.to(lm.model.device)).logits
    return logits[:, -n_blanks if lm.kind == "masked" else -1].softmax(-1).cpu()


def exact_match(given):
    """1 if every greedy token is right, else 0."""
    return float(given.greedy == given.right)


def token_probability(given):
    """The geometric mean of the probabilities of the right tokens, as if each were as likely."""
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
    """The mean of a ruler over answers, with its standard error.

    Example:
        >>> score([Answer([1], [1], [], []), Answer([1], [2], [], [])], exact_match)
        Score(mean=0.5, standard_error=0.5)
    """
    values = np.array([ruler(given) for given in answers], dtype=float)
    return Score(values.mean().item(), (values.std(ddof=1) / math.sqrt(len(values))).item())
