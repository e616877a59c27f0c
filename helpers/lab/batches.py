"""Batches of fresh PocketWeb documents, packed into rows: they depend on seed and step alone.

A document takes about 45 tokens, and a model works fastest on rows that are full. So documents
stand in a row one after the other, each as if it were alone: its positions start at 0, and the
attention mask lets none of its tokens see another document.
"""

import random

import numpy as np
import torch
from torch.utils.data import DataLoader

from helpers._plumbing.checks import check_share, check_whole_number
from helpers.lab import pocketweb
from helpers.lab.architecture import CONTEXT, check_objective

NARROWEST = 128  # tokens in a row; few documents are longer
WIDER = range(0, 40, 8)  # by so many more tokens, where that leaves fewer places empty


class Batches:
    """The batches of a run: `batches[step]` is a dict of four tensors, which a model can read.

    `input_ids`, `position_ids` and `labels` (-100 where nothing is predicted) are [rows, width];
    `attention_mask` [rows, 1, width, width] is added to the attention scores: 0 where a token may
    look, minus infinity elsewhere. Masked training cuts half of the documents short, because a
    blank may have to be filled before the document is complete. Raises ValueError or TypeError for
    an unknown objective or genre, and numbers out of range.

    Example:
        >>> from helpers.lab.architecture import build_tokenizer
        >>> batch = Batches("masked", build_tokenizer(), tokens_per_step=100)[0]
        >>> batch["input_ids"].shape, batch["attention_mask"].shape
        (torch.Size([1, 128]), torch.Size([1, 1, 128, 128]))
    """

    def __init__(self, objective, tokenizer, tokens_per_step, mask_rate=0.4, genres=None, seed=0):
        self.objective, self.genres = check_objective(objective), genres
        self.tokens_per_step = check_whole_number(tokens_per_step, "tokens_per_step")
        self.mask_rate = check_share(mask_rate, "mask_rate")
        self.seed = check_whole_number(seed, "seed", 0)
        self.tokenizer, vocabulary = tokenizer, self.language.vocabulary
        ids = tokenizer(vocabulary, add_special_tokens=False).input_ids
        self.id_of = {token: number for token, (number,) in zip(vocabulary, ids, strict=True)}

    @property
    def language(self):
        """The texts' language; looked up, so that batches can be sent to a worker process."""
        return pocketweb.language(self.genres)

    def __getitem__(self, step):
        documents = self._documents(random.Random(f"{self.seed}:{step}"))
        ids, positions, owners = packed(documents, self.tokenizer.pad_token_id)
        asked = (positions > 0) & (owners > 0)  # a start is never asked for, nor padding
        if self.objective == "masked":
            chance = np.random.default_rng((self.seed, step)).random(ids.shape)
            asked &= (chance < self.mask_rate) & (ids != self.tokenizer.eos_token_id)
        labels = np.where(asked, ids, -100)
        if self.objective == "masked":
            ids = np.where(asked, self.tokenizer.mask_token_id, ids)
        return {
            "input_ids": torch.from_numpy(ids),
            "position_ids": torch.from_numpy(positions),
            "labels": torch.from_numpy(labels),
            "attention_mask": _within(torch.from_numpy(owners), self.objective == "causal"),
        }

    def n_tokens(self, batch):
        """How many tokens a batch holds, padding left out."""
        return int((batch["input_ids"] != self.tokenizer.pad_token_id).sum())

    def between(self, first, last, n_workers=0):
        """The batches of the steps from `first` up to `last`; workers make them ahead of time."""
        steps = range(first, last)
        return DataLoader(self, batch_size=None, sampler=steps, num_workers=n_workers)

    def _documents(self, rng):
        """Token ids of fresh documents, start and end included, until the step is full."""
        documents, n_tokens, left_out, language = [], 0, 0, self.language
        while n_tokens < self.tokens_per_step:
            drawn = language.draw(rng)
            if pocketweb.is_held_out(drawn.text):
                if (left_out := left_out + 1) == 1000 and not documents:
                    kept = "pre-training leaves some sums and people out, to ask for them later"
                    raise ValueError(f"No text of this language may be read: {kept}.")
                continue
            if len(drawn.tokens) > CONTEXT - 2:
                long = f"A text of this language has {len(drawn.tokens):,} tokens"
                raise ValueError(f"{long}, and the models read {CONTEXT} with start and end.")
            document = [self.id_of[t] for t in (pocketweb.END, *drawn.tokens, pocketweb.END)]
            if self.objective == "masked" and rng.random() < 0.5:
                document = document[: rng.randint(2, len(document))]
            documents.append(document)
            n_tokens += len(document)
        return documents


def packed(documents, pad):
    """Documents in rows, three arrays [rows, width]: token ids, positions, numbers of documents.

    The numbers count from 1 within a row; padding has number 0 and position 0. A row is as wide as
    the longest document, at least NARROWEST, or a little wider where that leaves less padding.

    Example:
        >>> ids, positions, owners = packed([[7, 8, 9], [5, 6]], pad=0)
        >>> ids[0, :6].tolist(), positions[0, :6].tolist(), owners[0, :6].tolist()
        ([7, 8, 9, 5, 6, 0], [0, 1, 2, 0, 1, 0], [1, 1, 1, 2, 2, 0])
    """
    documents = sorted(documents, key=len, reverse=True)
    narrowest = max(NARROWEST, len(documents[0]))
    tried = [(_first_fit(documents, narrowest + more), narrowest + more) for more in WIDER]
    rows, width = min(tried, key=lambda one: len(one[0]) * one[1])
    ids = np.full((len(rows), width), pad)
    positions, owners = np.zeros_like(ids), np.zeros_like(ids)
    for row, inside in enumerate(rows):
        lengths = [len(document) for document in inside]
        end = sum(lengths)
        ids[row, :end] = np.concatenate(inside)
        positions[row, :end] = np.concatenate([np.arange(length) for length in lengths])
        owners[row, :end] = np.repeat(np.arange(1, len(inside) + 1), lengths)
    return ids, positions, owners


def _first_fit(documents, width):
    """Rows of documents, each document in the first row that has room for it."""
    rows, room = [], []
    for document in documents:
        length = len(document)
        row = next((row for row, free in enumerate(room) if free >= length), len(rows))
        if row == len(rows):
            rows.append([])
            room.append(width)
        rows[row].append(document)
        room[row] -= length
    return rows


def _within(owners, causal):
    """The attention mask [rows, 1, width, width] that keeps every token in its document."""
    visible = owners[:, None, :, None] == owners[:, None, None, :]
    return torch.where(visible.tril() if causal else visible, 0.0, -torch.inf)
