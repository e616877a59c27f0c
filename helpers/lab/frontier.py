"""Sense against variety: what each setting of temperature, top-k and top-p makes of a model.

A setting is one point of a plane: how many of the texts that it draws PocketWeb's program could
have written, and how unsure the distributions were from which it drew them.
"""

import numpy as np
import pandas as pd
import torch
from torch.nn.utils.rnn import pad_sequence
from tqdm.auto import tqdm

from helpers._plumbing.checks import check_sampling, check_whole_number, encode
from helpers._plumbing.words import shown
from helpers.generation import distribution, generate_text
from helpers.lab import pocketweb
from helpers.lab.estimates import mean_per_token


def frontier(lm, prompt, settings, n_texts=64, seed=1):
    """Draw texts at each of the settings and measure them: a data frame with a row for each.

    Its columns: `temperature`; `cut`, in words; `n_texts`; `possible`, the share of texts that
    PocketWeb could begin with, and its 95 % interval `low` to `high` (Wilson); `entropy`, the mean
    over all tokens drawn of the entropy of the distribution they were drawn from, in nats per
    token, and its `standard_error` over texts; `text`, the first one.

    Args:
        settings: (temperature, top_k, top_p) of each, as `generate_text` takes them.
        n_texts: drawn at each setting, 2 or more, all with the same seed.

    Raises:
        ValueError, TypeError: what `generate_text` would refuse, other settings, none, or fewer
            texts; before any is drawn.

    Example:
        >>> from helpers.models import load_causal_lm
        >>> settings = [(0.3, None, None), (2.0, None, None)]
        >>> table = frontier(load_causal_lm("pocket-gpt2"), "What is a", settings, n_texts=8)
        >>> bool(table.entropy[0] < table.entropy[1]), table.possible[0].item()
        (True, 1.0)
    """
    check_whole_number(n_texts, "n_texts", 2)
    encode(lm, prompt)
    if not settings or any(not isinstance(k, tuple | list) or len(k) != 3 for k in settings):
        wanted = "a list of (temperature, top_k, top_p), at least one"
        raise ValueError(f"settings must be {wanted}, not {shown(settings)}.")
    bar = tqdm([check_sampling(*knobs, lm) for knobs in settings], desc="settings")
    return pd.DataFrame([_measured(lm, prompt, *knobs, n_texts, seed) for knobs in bar])


def _measured(lm, prompt, temperature, top_k, top_p, n_texts, seed):
    from scipy.stats import binomtest  # here, so that whoever draws nothing need not wait for it

    knobs = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    texts = generate_text(lm, prompt, **knobs, seed=seed, num_return_sequences=n_texts)
    n_possible = sum(map(pocketweb.is_possible, texts))
    low, high = binomtest(n_possible, n_texts).proportion_ci(method="wilson")
    drawn_from = entropies(lm, prompt, texts, **knobs)
    unsure = mean_per_token([nats.sum() for nats in drawn_from], list(map(len, drawn_from)))
    cuts = {"top-k": top_k, "top-p": top_p}.items()
    cut = " and ".join(f"{name} {value:g}" for name, value in cuts if value) or "no cut"
    row = {"temperature": temperature, "cut": cut, "n_texts": n_texts}
    row |= {"possible": n_possible / n_texts, "low": low, "high": high}
    return row | {"entropy": unsure.nats, "standard_error": unsure.standard_error, "text": texts[0]}


@torch.no_grad()
def entropies(lm, prompt, texts, temperature=1.0, top_k=None, top_p=None):
    """How unsure the model was at each token that it added to the prompt: nats, [n_new] a text.

    Args:
        texts: a list of what `generate_text` returns. The token that ended a text counts.

    Example:
        >>> from helpers.models import load_causal_lm
        >>> lm = load_causal_lm("pocket-gpt2")
        >>> text = generate_text(lm, "What is a", top_k=1, seed=0)
        >>> [nats] = entropies(lm, "What is a", [text], top_k=1)
        >>> nats.sum().item()
        0.0
    """
    start = encode(lm, prompt).shape[1]
    rows = [encode(lm, text + pocketweb.END * text.ended)[0] for text in texts]
    ids = pad_sequence(rows, batch_first=True)  # what comes after a text changes nothing in it
    scored = torch.arange(1, ids.shape[1]) < torch.tensor([[len(row)] for row in rows])
    logits = lm.model(ids, attention_mask=torch.ones_like(ids)).logits[:, start - 1 : -1]
    chances = distribution(logits[scored[:, start - 1 :]], temperature, top_k, top_p)
    nats = torch.special.entr(chances).sum(-1)  # of all texts, one after the other
    return nats.cpu().split([len(row) - start for row in rows])


def beaten_by(table, one):
    """The rows of a table that clearly have more than one row: possible texts and entropy.

    Clearly: the two intervals of the share do not meet, and the entropies lie more than two
    standard errors of their difference apart.

    Example:
        >>> from helpers.lab import tables
        >>> table = tables.read("frontier")
        >>> len(beaten_by(table, table.loc[table.entropy.idxmax()]))
        0
    """
    apart = 2 * np.hypot(table.standard_error, one.standard_error)
    return table[(table.low > one.high) & (table.entropy - apart > one.entropy)]
