"""Record what a real model writes, or fills in, for `helpers/data/recorded.json`.

A page shows it where no real model is on the reader's machine. The file holds one causal and one
masked model; a new recording replaces the one of its kind. Read every text before you commit it: a
hurtful one goes by dropping its prompt, never by editing.
"""

import datetime
import json

import nbformat
import pandas as pd

from helpers._plumbing.files import DATA, written_whole
from helpers.fill_mask import fill_mask
from helpers.generation import generate_text, next_token_probabilities
from helpers.lab.abilities import answer
from helpers.models import load_causal_lm, load_masked_lm
from tests.support.notebook_plugin import ROOT

TEXTS = (  # prompt, max_length, temperature: those of notebook 05
    ("Once upon a time, in a small village", 100, 0.8),
    ("The best thing about artificial intelligence is that", 120, 0.7),
    ("def greet_user(name):", 80, 0.6),
)
NEXT = (
    "Once upon a time, in a small village",
    "The capital of France is",
    "lovely walk: good\nawful play: bad\nlovely soup:",  # of notebook 04
)
BLANKS = (  # those of notebook 06
    "The [MASK] was open, because it was too hot.",
    "The [MASK] sat on the mat.",
)
QUESTION = "Give me three names for a cat."
ABOUT = {
    "smollm2-135m": "SmolLM2-135M-Instruct, 134.5 million parameters, tuned on instructions, "
    "stored in 4 bits, Apache-2.0. It is newer than GPT-2, and not GPT-2",
    "gpt2": "the smallest GPT-2, 124.4 million parameters",
    "bert-base-uncased": "bert-base-uncased, 109.5 million parameters",
}


def recorded(lm, date, about):
    """What is kept of a model: its likeliest tokens, and of a causal model what it wrote."""
    found = {"model": lm.name, "about": about, "date": date, "texts": [], "likeliest": {}}
    if lm.kind == "masked":
        for text in BLANKS:
            choices = fill_mask(lm, text, top_k=10)
            found["likeliest"][text] = pairs([(lm.vocabulary[c.token_id], c[1]) for c in choices])
        return found
    for prompt in NEXT:
        found["likeliest"][prompt] = pairs(next_token_probabilities(lm, prompt)[:10])
    for prompt, max_length, temperature in TEXTS:
        found["texts"].append(written(lm, prompt, temperature, max_length=max_length))
    found["choices"] = label_choices(lm)
    if lm.tokenizer.chat_template:
        said = [{"role": "user", "content": QUESTION}]
        chat = lm.tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
        prompts = {"as raw text": QUESTION, "through its chat template": chat}
        found["chat"] = {
            how: written(lm, prompt, 0.7, max_new_tokens=60) for how, prompt in prompts.items()
        }
    return found


def label_choices(lm):
    """The table of notebook 04's last section, {row: [right, the two labels]}, by its own cells."""
    page = nbformat.read(ROOT / "notebooks" / "04_emergent_abilities.ipynb", as_version=4)
    sources, names = {cell.id: cell.source for cell in page.cells}, {"pd": pd, "answer": answer}
    for name in ("real-items", "real-make", "real-define"):
        exec(sources[name], names)
    found = {f"{k} examples": names["choose"](lm, k) for k in (0, 2, 4, 8)}
    found["8 examples, exchanged"] = names["choose"](lm, 8, exchanged=True)
    return {row: [round(float(number), 4) for number in pair] for row, pair in found.items()}


def pairs(choices):
    return [[token, round(probability, 4)] for token, probability in choices]


def written(lm, prompt, temperature, **length):
    """A text of the model with its settings and sizes, as it came."""
    text = generate_text(lm, prompt, temperature=temperature, seed=1, **length)
    sizes = {"n_tokens": len(lm.tokenizer(text).input_ids), "n_words": len(text.split())}
    kept = {"prompt": prompt, "text": text, "ended": text.ended, "temperature": temperature}
    return kept | sizes


def add_arguments(parser):
    parser.add_argument("model", help="its name, such as gpt2 or smollm2-135m")
    parser.add_argument("--masked", action="store_true", help="a masked model, such as BERT")


def run(options):
    load = load_masked_lm if options.masked else load_causal_lm
    lm, file = load(options.model, device="cpu"), DATA / "recorded.json"
    date = datetime.date.today().isoformat()
    kept = json.loads(file.read_text(encoding="utf-8"))
    kept[lm.kind] = recorded(lm, date, ABOUT.get(options.model, options.model))
    with written_whole(file) as new:
        new.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
