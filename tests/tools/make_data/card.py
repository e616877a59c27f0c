"""Measure a bundled model and write its card, README.md beside the weights.

How it was trained is read from training.json, which lies there too: command, seed, steps, tokens,
hours, machine and remarks.
"""

import json
import math
import random
import re

import torch

from helpers._plumbing.files import DATA
from helpers.fill_mask import fill_mask
from helpers.lab import pocketweb
from helpers.lab.evaluation import gap_to_floor, unseen
from helpers.models import load_causal_lm, load_masked_lm
from tests.tools.make_data.floors import N_DOCUMENTS, SHARE


def card(lm, exam, training):
    """The model card of a pocket model, in Markdown.

    Args:
        exam: the unseen documents on which it is measured.
        training: dict with command, seed, steps, tokens, hours, machine and remarks.
    """
    config, gaps = lm.model.config, gap_to_floor(lm, exam)
    worst = sorted(
        (name for name in gaps if name in pocketweb.language().genres),
        key=lambda g: -gaps[g].gap.nats,
    )
    cells = {
        name: [f"{e.nats:.3f} ± {e.standard_error:.3f}" for e in gap] for name, gap in gaps.items()
    }
    rows = [f"| {name} | {' | '.join(row)} |" for name, row in cells.items()]
    asked = sum(len(p) for p in exam.positions)
    causal = lm.kind == "causal"
    task = (
        "the next token, the end included"
        if causal
        else "one blank at a time, the rest of the document visible"
    )
    samples = _samples(lm) if causal else _blanks(lm, exam)
    return f"""\
<!-- Written by `python -m tests.tools.make_data card {lm.name}`. -->

# {lm.name}

A {lm.kind} LM (`{type(lm.model).__name__}`) for teaching, trained from scratch on PocketWeb, the miniature web of
`helpers/data/pocketweb.grammar`, and on nothing else. {config.num_hidden_layers} layers, width {config.hidden_size},
{config.num_attention_heads} heads, {lm.n_params:,} parameters, {config.vocab_size:,} tokens, a context of {lm.context}
tokens, weights in half precision.

## Training

    {training["command"]}

Seed {training["seed"]}, {training["steps"]:,} steps, {training["tokens"]:,} tokens of fresh text,
{training["hours"]:.1f} hours on {training["machine"]}. One sum in ten and one person in fifty were held out.
{training["remarks"]}

## How far from the truth

Loss, floor (the lowest loss that any model could reach) and gap in nats per token with standard errors, for
{task}: {len(exam.documents):,} unseen documents, {asked:,} tokens, model and truth on the same ones.
Held-out sums and people are among them. No model can stay below the floor of the whole. Below that of a genre it can
come a little, if it expects the genre too often, and then pays for it in the others.

| text | loss | floor | gap |
|---|---|---|---|
{chr(10).join(rows)}

## Known weaknesses

- The largest gaps are in {", ".join(f"{g} ({gaps[g].gap.nats:.3f})" for g in worst[:3])}. People who are rarely
  mentioned in the encyclopedia stay partly unknown, as they must to a model of this size.
- It repeats the bias that is planted in the genre "work": bakers are mostly "she" and potters mostly "he".
- A word that PocketWeb does not contain is read byte by byte; the model has never met one, nor any text in
  another style, and says nothing about the real world.
{"" if causal else "- Several blanks are filled one by one, as if the others did not matter." + chr(10)}
## Twenty unselected samples

{samples}
"""


@torch.inference_mode()
def _samples(lm):
    parts, possible = [], 0
    for seed in range(20):
        torch.manual_seed(seed)
        start = torch.tensor([[lm.tokenizer.bos_token_id]], device=lm.model.device)
        ids = lm.model.generate(
            start,
            attention_mask=torch.ones_like(start),
            do_sample=True,
            temperature=1.0,
            top_k=0,
            max_length=lm.context,
            pad_token_id=lm.tokenizer.pad_token_id,
        )
        text = lm.tokenizer.decode(ids[0, 1:])  # with its end, where it has one
        possible += pocketweb.log_prob(text) > -math.inf
        parts.append(f"Seed {seed}:\n\n{_fenced(text.removesuffix(pocketweb.END))}")
    parts.insert(
        0,
        f"From the empty prompt, temperature 1, no top-k. {possible} of 20 are possible PocketWeb texts.",
    )
    return "\n\n".join(parts)


def _blanks(lm, exam):
    parts = [
        "One random blank in each of the first twenty documents: the three likeliest tokens, and the truth."
    ]
    rng = random.Random(0)
    for document in exam.documents[:20]:
        tokens = list(document.tokens)
        place = rng.randrange(len(tokens))
        hidden, space = tokens[place].strip(" "), " " * tokens[place].startswith(" ")
        tokens[place] = space + pocketweb.MASK
        text = "".join(tokens)
        candidates = fill_mask(lm, text + pocketweb.END, top_k=3)
        model = {lm.tokenizer.decode([c.token_id]).strip(" "): c.probability for c in candidates}
        truth = {
            token.strip(" "): p
            for token, p in list(pocketweb.blank(text + pocketweb.END).items())[:3]
        }
        shown = [
            ", ".join(f"{_code(t)} {p:.2f}" for t, p in found.items()) for found in (model, truth)
        ]
        parts.append(
            f"{_fenced(text)}\n\nHidden: {_code(hidden)}. Model: {shown[0]}. Truth: {shown[1]}."
        )
    return "\n\n".join(parts)


def _fenced(text):
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}text\n{text}\n{fence}"


def _code(token):
    return f"`` {token!r} ``"


def add_arguments(parser):
    parser.add_argument("name", choices=("pocket-gpt2", "pocket-bert"))


def run(arguments):
    name = arguments.name
    training = json.loads((DATA / name / "training.json").read_text(encoding="utf-8"))
    lm = (load_causal_lm if name == "pocket-gpt2" else load_masked_lm)(name, device="cpu")
    exam = unseen(lm.kind, N_DOCUMENTS, SHARE[lm.kind])
    (DATA / name / "README.md").write_text(card(lm, exam, training), encoding="utf-8")
