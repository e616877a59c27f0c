"""Passes of a model: several texts in one, a text token by token, and what comes out is made of
numbers.
"""

import inspect

import torch


def checked_logits(lm, logits):
    """Logits [..., vocab] in 32-bit numbers, if numbers they are."""
    if not logits.amax(-1).isfinite().all():
        problem = f"{lm.name!r} answers with what is no number: its weights are damaged"
        raise ValueError(f"{problem}. Load it again, or load another model.")
    return logits.float()


def read_on(lm, ids, cache=None):
    """Read token ids [n, n_tokens], or the last of each row alone if a cache keeps the others.

    Returns the logits [n, vocab] of the next token, and the cache to go on with: None if the model
    keeps none, as GPT-1 does.
    """
    unread = ids if cache is None else ids[:, -1:]
    known = inspect.signature(lm.model.forward).parameters
    name = "cache" if "cache" in known else "past_key_values"  # before transformers 5.24
    with torch.no_grad():
        output = lm.model(unread, **{name: cache}, use_cache=True)
    return checked_logits(lm, output.logits[:, -1]), getattr(output, name, None)


def in_one_pass(lm, rows, read, most_tokens=8192):
    """Let a model read rows of token ids of any lengths, as many at once as the memory should hold.

    `read(input_ids, attention_mask)`, both [n, longest] on the model's device, gives a tensor
    [n, longest, width]. Returns a tensor [n_tokens, width] for each row.
    """
    found, order = {}, sorted(range(len(rows)), key=lambda i: len(rows[i]))
    fill = lm.tokenizer.pad_token_id or 0  # any id would do: nobody attends to it
    if "attention_mask" not in inspect.signature(lm.model.forward).parameters:  # FNet mixes all
        most_tokens = 1
    while order:
        size = max(1, most_tokens // len(rows[order[-1]]))
        order, chosen = order[:-size], order[-size:]
        longest = max(len(rows[i]) for i in chosen)
        ids = [rows[i] + [fill] * (longest - len(rows[i])) for i in chosen]
        mask = [[1] * len(rows[i]) + [0] * (longest - len(rows[i])) for i in chosen]
        tensors = (torch.tensor(part, device=lm.model.device) for part in (ids, mask))
        answers = read(*tensors)
        found |= {i: answer[: len(rows[i])] for i, answer in zip(chosen, answers, strict=True)}
    return [found[i] for i in range(len(rows))]


def blank_logits(lm, rows):
    """The scores [n_blanks, vocab] for the blanks of each row of token ids [n_tokens]."""

    def read(ids, mask):
        return lm.model(ids, attention_mask=mask).logits

    with torch.no_grad():
        logits = in_one_pass(lm, [ids.tolist() for ids in rows], read)
    blanks = [ids == lm.tokenizer.mask_token_id for ids in rows]
    return [checked_logits(lm, x.cpu()[there]) for x, there in zip(logits, blanks, strict=True)]
