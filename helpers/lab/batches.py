"""Batches of fresh PocketWeb documents: they depend on the seed and the step alone."""

import os
import random

import numpy as np
import torch
from torch.utils.data import DataLoader
from transformers import DataCollatorForLanguageModeling

from helpers.lab import pocketweb
from helpers.lab.architecture import check_objective

# A micro-batch's most tokens, and its price, in tokens, beyond them
GROUPS = {"cpu": (1024, 48), "gpu": (32_768, 4096)}


class Batches:
    """The batches of a run: `batches[step]` is a list of micro-batches of documents alike in size.

    A micro-batch is a dict of `input_ids` and `labels` (-100 where nothing is predicted), both
    [rows, tokens], and `attention_mask`. Masked training cuts half of the documents short, because
    a blank may have to be filled before the document is complete. A GPU gets the same documents in
    fewer and larger micro-batches than a CPU. Raises ValueError for an unknown objective or genre.

    Example:
        >>> from helpers.lab.architecture import build_tokenizer
        >>> sorted(Batches("masked", build_tokenizer(), tokens_per_step=100)[0][0])
        ['attention_mask', 'input_ids', 'labels']
    """

    def __init__(
        self,
        objective,
        tokenizer,
        tokens_per_step,
        mask_rate=0.4,
        genres=None,
        seed=0,
        device="cpu",
    ):
        check_objective(objective)
        self.on_cpu = torch.device(device).type == "cpu"
        self.objective, self.seed = objective, seed
        self.tokens_per_step, self.mask_rate = tokens_per_step, mask_rate
        self.tokenizer, self.language = tokenizer, pocketweb.language(genres)
        vocabulary = self.language.vocabulary
        self.id_of = {
            token: tokenizer(token, add_special_tokens=False).input_ids[0] for token in vocabulary
        }

    def __getitem__(self, step):
        rows = sorted(self._rows(random.Random(f"{self.seed}:{step}")), key=len)
        collator = DataCollatorForLanguageModeling(
            self.tokenizer,
            mlm=self.objective == "masked",
            mlm_probability=self.mask_rate,
            mask_replace_prob=1.0,
            random_replace_prob=0.0,
            seed=self.seed * 1_000_003 + step,
        )
        groups = _split_by_tokens(rows, *GROUPS["cpu" if self.on_cpu else "gpu"])
        return [collator([{"input_ids": row} for row in group]) for group in groups]

    def between(self, first, last):
        """The batches of the steps from `first` up to `last`; for a GPU, made ahead."""
        workers = 0 if self.on_cpu else max(0, (os.cpu_count() or 1) - 1)
        return DataLoader(
            self, batch_size=None, sampler=range(first, last), num_workers=workers, collate_fn=list
        )

    def _rows(self, rng):
        """Token ids of fresh documents, start and end included, until the step is full."""
        rows, n_tokens = [], 0
        while n_tokens < self.tokens_per_step:
            document = self.language.draw(rng)
            if pocketweb.is_held_out(document.text):
                continue
            row = [self.id_of[token] for token in (pocketweb.END, *document.tokens, pocketweb.END)]
            if self.objective == "masked" and rng.random() < 0.5:
                row = row[: rng.randint(2, len(row))]
            rows.append(row)
            n_tokens += len(row)
        return rows


def _split_by_tokens(rows, most, price):
    """Rows, sorted by length, in the cheapest groups of at most `most` tokens, padding included.

    The cost is the padded tokens and a price for each group, what a forward and backward pass costs
    beyond its tokens.
    """
    costs, cuts = np.zeros(len(rows) + 1), [0]
    for end, row in enumerate(rows, start=1):
        first = min(end - 1, max(0, end - most // len(row)))
        # By where the last group begins
        through = costs[first:end] + len(row) * np.arange(end - first, 0, -1)
        cuts.append(first + int(through.argmin()))
        costs[end] = through.min() + price
    groups, end = [], len(rows)
    while end:
        groups.append(rows[cuts[end] : end])
        end = cuts[end]
    return groups[::-1]
