"""Batches: whole documents in packed rows, each as if alone, the same ones everywhere."""

import math
import pickle
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from helpers.lab import pocketweb
from helpers.lab.architecture import build_model, build_tokenizer
from helpers.lab.batches import NARROWEST, Batches, packed
from helpers.lab.pretraining import SummedLoss
from tests.support.packed import NOTHING, documents, restored

OBJECTIVES = pytest.mark.parametrize("objective", ["causal", "masked"])
# Beginnings of the documents of seed 1, step 3, 300 tokens
CAUSAL = [
    "26+91=117\n6+0=6",
    "97+97=194",
    "Alan Dubois, born in 1871, is a judge. D",
    "Find a rhyme for tree.\nbee",
    "Judith Ndiaye was born in Torrent and wo",
    "Long ago, in a small village between two",
    "Make this polite: Close the door.\nPlease",
    "Oksana Olsen studied in Brightwater and ",
    "Ostrava is a town in the centre. It is k",
    "Question: What colour is a carrot?\nAnswe",
    "Question: What sound does the cat make?\n",
    "Question: What sound does the lion make?",
    "Question: Where was Ismail Cheng born?\nA",
]
MASKED = [
    'Amara asked how a clock works. "Inside, ',
    "In Redcliff there is a street",
    "Maren Mendes, born in 1882, is a mechani",
    "Oksana Olsen studied in",
    "Once upon a time there was a sleepy",
    "Once upon a time, in a crooked barn, the",
    "Question: What is the profession of Mare",
    "Review: Last week I bought a toaster. Th",
    "The best thing about machine learning is",
    "The carpenter said that he",
    "The clarinet of Jasmin",
    "The driver",
    "The future of artificial intelligence",
    "The singer Sergei Cheng lives in the sam",
    "grey gulls on the pier\nthe lighthouse co",
]


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


def texts(batch, tokenizer):
    """The tokens of a batch's documents as texts, what is hidden put back."""
    found = [restored(*document) for document in documents(batch, tokenizer)]
    return [[tokenizer.decode([token]) for token in ids] for ids in found]


def test_causal_batches_ask_for_every_token_but_the_start(tokenizer):
    batch = Batches("causal", tokenizer, 3000)[0]
    for tokens in texts(batch, tokenizer):
        assert tokens[0] == tokens[-1] == pocketweb.END
        assert pocketweb.log_prob("".join(tokens[1:])) > -math.inf
    for ids, labels in documents(batch, tokenizer):
        assert labels == [NOTHING, *ids[1:]]
    padding = batch["input_ids"] == tokenizer.pad_token_id
    assert (batch["labels"][padding] == NOTHING).all()


def test_masked_batches_hide_what_is_to_be_predicted(tokenizer):
    batches, fates, cut, n = Batches("masked", tokenizer, 3000, mask_rate=0.3), Counter(), 0, 0
    special = {tokenizer.bos_token_id, tokenizer.pad_token_id, tokenizer.mask_token_id}
    for step in range(4):
        for ids, labels in documents(batches[step], tokenizer):
            asked = [label != NOTHING for label in labels]
            assert [token == tokenizer.mask_token_id for token in ids] == asked
            whole = restored(ids, labels)
            fates.update(a for a, token in zip(asked, whole, strict=True) if token not in special)
            assert not any(a for a, token in zip(asked, whole, strict=True) if token in special)
            assert whole[0] == tokenizer.bos_token_id
            tokens = [tokenizer.decode([token]) for token in whole]
            assert pocketweb.log_prob("".join(tokens[1:])) > -math.inf
            cut, n = cut + (tokens[-1] != pocketweb.END), n + 1
    assert fates[True] / fates.total() == pytest.approx(0.3, abs=0.02)
    assert cut / n == pytest.approx(0.5, abs=0.12)


@OBJECTIVES
def test_a_packed_batch_is_one_document_a_row(objective, tokenizer):
    """The loss of a batch is that of each of its documents read alone, by the model's own code."""
    torch.manual_seed(0)
    model = build_model(objective, tokenizer, n_layer=2, d_model=32, n_head=2).double()
    batch = Batches(objective, tokenizer, 1500)[1]
    batch["attention_mask"] = batch["attention_mask"].double()
    assert len(documents(batch, tokenizer)) > 2 * len(batch["labels"])
    total, asked = 0.0, 0
    for ids, labels in documents(batch, tokenizer):
        log_p = model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
        for place, label in enumerate(labels):
            if label != NOTHING:
                before = place - (objective == "causal")  # a causal model answers one place earlier
                total, asked = total - log_p[before, label].item(), asked + 1
    packed_loss = SummedLoss(model)(**batch).item()
    assert packed_loss / asked == pytest.approx(total / asked, abs=1e-6)


@OBJECTIVES
def test_no_token_sees_another_document(objective, tokenizer):
    """Changed, the other documents of a row change nothing, and neither does padding."""
    torch.manual_seed(0)
    model = build_model(objective, tokenizer, n_layer=2, d_model=16, n_head=2).eval()
    batch = Batches(objective, tokenizer, 600, seed=3)[0]
    position = batch["position_ids"][0].tolist()
    second = position.index(0, 1)  # where the second document of the first row begins
    changed = batch["input_ids"].clone()
    changed[0, second:] = 7
    shared = {name: batch[name] for name in ("position_ids", "attention_mask")}
    with torch.no_grad():
        before, after = (
            model.base_model(ids, **shared).last_hidden_state[0]
            for ids in (batch["input_ids"], changed)
        )
    assert torch.equal(before[:second], after[:second])
    assert not torch.allclose(before[second:], after[second:])


@given(
    st.lists(st.integers(1, 200), min_size=1, max_size=80).map(
        lambda lengths: [list(range(1, n + 1)) for n in lengths]
    )
)
@settings(deadline=None, max_examples=60)
def test_packing_keeps_every_token(drawn):
    ids, positions, owners = packed(drawn, pad=0)
    width = ids.shape[1]
    assert width >= max(NARROWEST, *map(len, drawn))
    assert (positions[owners > 0] == ids[owners > 0] - 1).all()
    assert (ids[owners == 0] == 0).all()
    found = Counter()
    for row, owner in zip(ids, owners, strict=True):
        found.update(np.bincount(owner)[1:].tolist())
        assert row[owner > 0].size == (owner > 0).argmin() or (owner > 0).all()
    assert found == Counter(map(len, drawn))
    assert len(ids) <= 2 * sum(map(len, drawn)) / width + 1  # first fit is never worse


def test_batches_depend_on_seed_and_step_alone(tokenizer):
    first, again = (Batches("masked", tokenizer, 300, seed=1) for _ in range(2))
    torch.manual_seed(99)
    np.random.seed(99)
    assert all(torch.equal(first[3][name], again[3][name]) for name in first[3])
    for other in (Batches("masked", tokenizer, 300, seed=2)[3], first[4]):
        assert texts(other, tokenizer) != texts(first[3], tokenizer)


def test_the_texts_of_a_seed(tokenizer):
    """They are those of every table and card that was made before rows were packed."""
    for objective, expected in (("causal", CAUSAL), ("masked", MASKED)):
        found = texts(Batches(objective, tokenizer, 300, seed=1)[3], tokenizer)
        read = ("".join(tokens[1:]).removesuffix(pocketweb.END) for tokens in found)
        assert sorted(text[:40] for text in read) == expected


def test_workers_make_the_same_batches(tokenizer):
    """A spawned one too, as on macOS and Windows: batches can be sent to another process."""
    batches = Batches("masked", tokenizer, 300)
    options = {"batch_size": None, "sampler": range(2, 5), "num_workers": 1}
    spawned = DataLoader(batches, multiprocessing_context="spawn", **options)
    for loaded in (batches.between(2, 5), batches.between(2, 5, n_workers=2), spawned):
        for step, batch in enumerate(loaded, start=2):
            assert all(torch.equal(batch[name], batches[step][name]) for name in batch)
        assert step == 4


def test_batches_can_be_pickled(tokenizer):
    batches = Batches("causal", tokenizer, 300, genres=["echo"], seed=5)
    again = pickle.loads(pickle.dumps(batches))
    assert torch.equal(batches[7]["input_ids"], again[7]["input_ids"])


def test_tokens_are_counted_without_padding(tokenizer):
    batches = Batches("masked", tokenizer, 300)
    n = sum(len(ids) for ids, _ in documents(batches[0], tokenizer))
    assert batches.n_tokens(batches[0]) == n


def test_genres_reach_the_batches(tokenizer):
    found = texts(Batches("causal", tokenizer, 300, genres=["echo"])[0], tokenizer)
    assert all(tokens[1] == "Echo" for tokens in found)


def test_held_out_texts_are_never_read(tokenizer):
    genres = ["sums", "encyclopedia"]
    batches = Batches("causal", tokenizer, 3000, genres=genres)
    read = [
        "".join(tokens[1:-1]) for step in range(4) for tokens in texts(batches[step], tokenizer)
    ]
    assert len(read) > 200
    assert not any(map(pocketweb.is_held_out, read))
    drawn = pocketweb.language(genres).sample(400, seed=0)
    held_out = sum(pocketweb.is_held_out(document.text) for document in drawn)
    assert held_out > 10  # so there was something to avoid


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"objective": "prefix"}, '"causal" or "masked"'),
        ({"genres": ["poem"]}, "no genre 'poem'"),
        ({"tokens_per_step": 0}, "tokens_per_step must be a whole number from 1"),
        ({"mask_rate": 0}, "mask_rate must be a number above 0 and at most 1, not 0.0"),
        ({"mask_rate": math.nan}, "mask_rate must be"),
        ({"seed": -1}, "seed must be a whole number from 0"),
    ],
)
def test_bad_input(wrong, said, tokenizer):
    good = {"objective": "masked", "tokenizer": tokenizer, "tokens_per_step": 10}
    with pytest.raises(ValueError, match=said):
        Batches(**good | wrong)
