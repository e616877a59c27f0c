"""Fine-tuning: how far a model gets with a few labels, beside the best that anybody could do.

Two tasks are drawn from PocketWeb, and for every text the exact probability of its label is known:

- "sentiment": is this review good or bad? The verdict that may stand below it is cut off. Most
  sentences of a review share its feeling, not all, so nobody can always be right.
- "role": a sentence about two people, a woman and a man, and a question (`Who has the kite now?`).
  Is the answer she or he? Exchange the names: the answer changes, the words do not. A bag of words
  can only guess.

Every model is read in the same way: a linear layer on the hidden state from which it says what
comes next.

Left out: validation sets, early stopping, more than two labels.
"""

import copy
import functools
import random
from typing import NamedTuple

import torch

from helpers._plumbing.checks import check_text, check_whole_number
from helpers._plumbing.passes import in_one_pass
from helpers._plumbing.words import shown
from helpers.lab import pocketweb
from helpers.lab.pretraining import learning_rate_at
from helpers.models import LanguageModel

# genre, question, the part of it that is shown
TASKS = {"sentiment": ("review", "\nVerdict:", ""), "role": ("role", "?", "?")}
EXAM_SEED = 20_260_107  # never used to draw training examples


class Example(NamedTuple):
    """A text, its label (1: good or she, 0: bad or he), and the exact probability of label 1."""

    text: str
    label: int
    truth: float


@functools.cache
def _labels(task):
    """{word that answers: label}."""
    if task == "sentiment":
        return {"bad": 0, "good": 1}
    heroes = pocketweb.language().rules["hero"]
    return {row.text: int(row.columns["she"] == "she") for row in heroes}


@functools.cache
def examples(task, n, seed):
    """Draw n labelled texts of a task, the two labels in turn: a tuple of Examples.

    More from the same seed begin with the same ones.

    Raises:
        ValueError: the task is neither "sentiment" nor "role".

    Example:
        >>> examples("role", 1, seed=4)
        (Example(text='Freya gave the spoon to Emil. Who has the spoon now?', label=0, truth=0.0),)
    """
    if task not in TASKS:
        raise ValueError(f"There is no task {task!r}. The tasks are: {', '.join(TASKS)}.")
    n, seed = check_whole_number(n, "n"), check_whole_number(seed, "seed", 0)
    genre, question, shown = TASKS[task]
    language, labels, rng, found = pocketweb.language(genre), _labels(task), random.Random(seed), []
    while len(found) < n:
        text, _, answer = language.draw(rng).text.partition(question)
        answer, words = answer.strip(" ."), [token.strip() for token in pocketweb.tokenize(text)]
        named = [labels[word] for word in words if word in labels]
        wanted = labels.get(answer) == len(found) % 2  # answers such as "In the box" have no label
        if wanted and len(named) == len(set(named)):  # each name once, not two women or two men
            after = language.next_token(text + question)
            truth = sum((p for token, p in after.items() if labels[token.strip()]), 0.0)
            found.append(Example(text + shown, labels[answer], truth))
    return tuple(found)


def exam(task, n=600):
    """The examples on which every model is judged.

    Example:
        >>> len(exam("sentiment", n=10))
        10
    """
    return examples(task, n, EXAM_SEED)


def accuracy(exam, predicted):
    """The share of right answers to expect: the average true probability of the predicted labels.

    Labels are drawn; this is the accuracy averaged over all labels that the texts might have had.
    There is no luck in it, and nobody passes the `ceiling`.

    Example:
        >>> two = [Example("Worth every penny.", 1, 0.9), Example("Not recommended.", 1, 0.1)]
        >>> accuracy(two, [1, 1])
        0.5
    """
    shares = [e.truth if label else 1 - e.truth for e, label in zip(exam, predicted, strict=True)]
    return sum(shares) / len(shares)


def ceiling(exam):
    """The accuracy of the best possible reader, who knows the grammar and takes the likelier label.

    Example:
        >>> ceiling([Example("Worth every penny.", 1, 0.9), Example("Not recommended.", 1, 0.1)])
        0.9
    """
    return accuracy(exam, [e.truth > 0.5 for e in exam])


class Reader(torch.nn.Module):
    """A copy of a language model's body with a new layer of two scores: from texts to [texts, 2].

    The layer reads the last hidden state at the place that has to say what comes next: the last
    token of a causal model, a blank after the text for a masked one. The seed decides the new
    weights. Texts that the model cannot read raise the errors of `generate_text`.

    Example:
        >>> from helpers.models import load_masked_lm
        >>> Reader(load_masked_lm("pocket-bert", device="cpu"))(["The soup was", "The fish"]).shape
        torch.Size([2, 2])
    """

    def __init__(self, lm, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.body, self.lm = copy.deepcopy(lm.model.base_model), lm
        self.ending = f" {lm.tokenizer.mask_token}" if lm.kind == "masked" else ""
        self.head = torch.nn.Linear(lm.model.config.hidden_size, 2).to(lm.model.device)

    def states(self, texts):
        """The hidden state that is read, [texts, width]."""
        if isinstance(texts, str) or not len(texts):
            raise TypeError(f"Give a list of texts, at least one, not {shown(texts)}.")
        asked = [text + self.ending for text in texts]
        rows = [check_text(self.lm, text, self.lm.kind).input_ids[0].tolist() for text in asked]
        n = len(rows) * max(map(len, rows), default=0)  # tokens: all in one pass, for the gradient
        hidden = in_one_pass(self.lm, rows, self._read, n)  # [n_tokens, width] each
        blank, places = self.lm.tokenizer.mask_token_id, [len(row) - 1 for row in rows]
        if self.lm.kind == "masked":
            places = [max(i for i, token in enumerate(row) if token == blank) for row in rows]
        return torch.stack([states[place] for states, place in zip(hidden, places, strict=True)])

    def _read(self, ids, mask):
        return self.body(ids, attention_mask=mask).last_hidden_state

    def forward(self, texts):
        return self.head(self.states(texts))


def fine_tune(reader, train, seed=0, steps=120, learning_rate=5e-4):
    """Train all of a Reader on labelled examples, in place, 16 of them drawn in each step.

    Example:
        >>> from helpers.models import load_causal_lm
        >>> reader = Reader(load_causal_lm("pocket-gpt2", device="cpu"))
        >>> fine_tune(reader, examples("sentiment", 8, seed=1), steps=2) is reader
        True
    """
    rng = random.Random(seed)
    optimizer = torch.optim.AdamW(reader.parameters(), learning_rate, fused=True)
    schedule = {"steps": steps, "peak": 1.0, "warmup_steps": 10, "decay_steps": steps // 2}
    share = functools.partial(learning_rate_at, **schedule)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
    for _ in range(steps):
        batch = rng.choices(train, k=16)
        scores = reader([e.text for e in batch])
        labels = torch.tensor([e.label for e in batch], device=scores.device)
        torch.nn.functional.cross_entropy(scores, labels).backward()
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
    return reader


@torch.no_grad()
def in_batches(function, exam, size=64):
    """Apply a function of texts, such as a Reader or its `states`, to the texts of all examples.

    The result is on the CPU. Without an example it raises a ValueError.

    Example:
        >>> lengths = lambda texts: torch.tensor([len(text) for text in texts])
        >>> in_batches(lengths, [Example("Soup.", 1, 1.0)])
        tensor([5])
    """
    if not (texts := [e.text for e in exam]):
        raise ValueError("Give at least one example.")
    return torch.cat([function(texts[i : i + size]).cpu() for i in range(0, len(texts), size)])


def linear(features, labels):
    """Fit a linear classifier by penalised least squares: from features [n, width] to 0 or 1.

    The penalty on the squared weights is as strong as the average squared length of a row of
    features.

    Raises:
        ValueError: not one label for each row of features.

    Example:
        >>> classify = linear(torch.tensor([[0.0, 1.0], [0.0, 2.0], [1.0, 0.0]]), [0, 0, 1])
        >>> classify(torch.tensor([[2.0, 0.0], [0.0, 3.0]])).tolist()
        [1, 0]
    """
    if len(labels) != len(features):
        raise ValueError(f"There are {len(features)} rows of features and {len(labels)} labels.")
    signs, mean = torch.tensor(labels) * 2.0 - 1, features.mean(0)
    rows = features - mean
    products = rows @ rows.T  # [n, n]
    strength = products.diagonal().mean().clamp(min=1e-12)  # 0 where all rows are the same
    penalty = strength * torch.eye(len(rows))
    weights = rows.T @ torch.linalg.solve(products + penalty, signs - signs.mean())
    return lambda features: ((features - mean) @ weights + signs.mean() > 0).long()


@functools.cache
def _columns():
    """{word: its column}: every PocketWeb token without the space before it."""
    words = dict.fromkeys(token.strip() for token in pocketweb.language().vocabulary)
    return {word: column for column, word in enumerate(words)}


def word_counts(texts):
    """How often each word and mark stands in each text, in whatever order: [texts, words].

    Raises:
        ValueError: a word that PocketWeb does not have.

    Example:
        >>> word_counts(["The cat sat on the mat.", "The cat said meow."]).sum(1)
        tensor([7., 5.])
    """
    counts = torch.zeros(len(texts), len(_columns()))
    for row, text in zip(counts, texts, strict=True):
        for token in pocketweb.tokenize(text):
            if (word := token.strip()) not in _columns():
                raise ValueError(f"{shown(word)} is no word of PocketWeb; only its words count.")
            row[_columns()[word]] += 1
    return counts


def from_scratch(lm, seed=0):
    """The same network with random weights, as before its pre-training.

    Example:
        >>> from helpers.models import load_causal_lm
        >>> from_scratch(load_causal_lm("pocket-gpt2", device="cpu")).name
        'pocket-gpt2 from scratch'
    """
    torch.manual_seed(seed)
    model = type(lm.model)(lm.model.config).to(lm.model.device)
    return LanguageModel(model, lm.tokenizer, f"{lm.name} from scratch")
