"""What is known of the real models, asked of their real files. Left out unless it is asked for:

    python -m helpers prefetch gpt2 distilgpt2 bert-base-uncased roberta-base \
        distilbert-base-uncased albert-base-v2
    pytest -n 0 -m real_models tests/unit/test_real_models.py

The models are read from the user's own cache. Tests named `shape` hold for random weights, too:
`python -m tests.tools.full_size` runs them where no hub can be reached.
"""

from functools import cache
from pathlib import Path

import pytest
from huggingface_hub import constants

from helpers._plumbing import hub
from helpers._plumbing.words import repeated
from helpers.fill_mask import fill_mask
from helpers.generation import generate_text
from helpers.models import KNOWN_MODELS, load_causal_lm, load_masked_lm
from tests.tools.make_data.record import TEXTS

pytestmark = pytest.mark.real_models
CONTEXTS = {
    "gpt2": 1024,
    "distilgpt2": 1024,
    "bert-base-uncased": 512,
    "roberta-base": 512,
    "distilbert-base-uncased": 512,
    "albert-base-v2": 512,
}
CAUSAL = [name for name in CONTEXTS if KNOWN_MODELS[name].kind == "causal"]
MASKED = [name for name in CONTEXTS if KNOWN_MODELS[name].kind == "masked"]


@pytest.fixture(autouse=True)
def own_cache(monkeypatch):
    """The user's cache, in place of the empty one of all other tests."""
    folder = Path.home() / ".cache" / "huggingface" / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))


@cache
def lm(name):
    load = load_causal_lm if KNOWN_MODELS[name].kind == "causal" else load_masked_lm
    return load(name, device="cpu", download=False)


@pytest.mark.parametrize("name", CONTEXTS)
def test_shape_parameters_and_context(name):
    assert (lm(name).n_params, lm(name).context) == (KNOWN_MODELS[name].n_params, CONTEXTS[name])


@pytest.mark.parametrize("name", CAUSAL)
def test_shape_it_writes(name):
    text = generate_text(lm(name), "Once upon a time", max_new_tokens=5, seed=0)
    assert text.startswith("Once upon a time")
    assert len(text) > len("Once upon a time")


@pytest.mark.parametrize("name", MASKED)
def test_shape_it_fills_blanks(name):
    found = fill_mask(lm(name), "The [MASK] sat on the [MASK].", top_k=3)
    assert [len(candidates) for candidates in found] == [3, 3]


@pytest.mark.parametrize("name", CONTEXTS)
def test_the_size_of_the_file(name):
    n_bytes = (hub.cached_folder(name) / "model.safetensors").stat().st_size
    assert round(n_bytes / 1e6) == KNOWN_MODELS[name].download_mb


@pytest.mark.parametrize("name", CAUSAL)
def test_tokens_of_the_prompts(name):
    assert [len(lm(name).tokenizer(prompt).input_ids) for prompt, *_ in TEXTS] == [9, 8, 7]


def test_greedy_text_of_gpt2_goes_round_in_circles():
    text = generate_text(lm("gpt2"), TEXTS[0][0], do_sample=False, max_length=200)
    assert sum(repeated(text)) > 0.3 * len(text.split())


def test_bert_knows_the_capital_of_france():
    best = fill_mask(lm("bert-base-uncased"), "The capital of France is [MASK].", top_k=1)[0]
    assert best.token == "paris"
