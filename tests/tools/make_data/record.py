"""Record what a real causal model writes, for `helpers/data/recorded.json`.

A page shows it where no real model is on the reader's machine. Read every text before you commit
it: a hurtful one goes by dropping its prompt, never by editing.
"""

import datetime
import json

from helpers._plumbing.files import DATA, written_whole
from helpers.generation import generate_text, next_token_probabilities
from helpers.models import load_causal_lm

TEXTS = (  # prompt, max_length, temperature: those of notebook 05
    ("Once upon a time, in a small village", 100, 0.8),
    ("The best thing about artificial intelligence is that", 120, 0.7),
    ("def greet_user(name):", 80, 0.6),
)
NEXT = ("Once upon a time, in a small village", "The capital of France is")
ABOUT = {
    "smollm2-135m": "SmolLM2-135M-Instruct, 134.5 million parameters, tuned on instructions, "
    "stored in 4 bits, Apache-2.0. It is newer than GPT-2, and not GPT-2"
}


def recorded(lm, date, about):
    """What is kept of a model: texts with their settings, and the likeliest next tokens."""
    texts = []
    for prompt, max_length, temperature in TEXTS:
        text = generate_text(lm, prompt, max_length=max_length, temperature=temperature, seed=1)
        n_tokens = len(lm.tokenizer(text).input_ids)
        kept = {"prompt": prompt, "text": text, "ended": text.ended, "temperature": temperature}
        texts.append(kept | {"n_tokens": n_tokens, "n_words": len(text.split())})
    following = {}
    for prompt in NEXT:
        choices = next_token_probabilities(lm, prompt)[:10]
        following[prompt] = [[one.token, round(one.probability, 4)] for one in choices]
    return {"model": lm.name, "about": about, "date": date, "texts": texts, "next": following}


def add_arguments(parser):
    parser.add_argument("model", help="its name, such as gpt2 or smollm2-135m")


def run(options):
    lm = load_causal_lm(options.model, device="cpu")
    date = datetime.date.today().isoformat()
    found = recorded(lm, date, ABOUT.get(options.model, options.model))
    with written_whole(DATA / "recorded.json") as file:
        file.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
