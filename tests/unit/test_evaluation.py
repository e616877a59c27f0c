"""The gap to the floor: the model's numbers recomputed one by one, the shipped models against it,
floors and cards.
"""

import functools
import json
import math
from collections import Counter

import pytest
import torch

from helpers.lab import evaluation, pocketweb
from helpers.lab.estimates import Estimate
from helpers.lab.evaluation import gap_to_floor, model_log_probs, unseen
from helpers.models import load_causal_lm, load_masked_lm
from tests.support.tiny_models import tiny
from tests.tools.make_data import card, floors
from tests.tools.make_data.__main__ import main

MODELS = pytest.mark.parametrize(
    ("kind", "family"), [("causal", "pocket-gpt2"), ("masked", "pocket-bert")]
)
FACTS = {
    "command": "python -m helpers pretrain",
    "seed": 3,
    "steps": 1200,
    "tokens": 3_456_789,
    "hours": 1.25,
}
FACTS |= {"machine": "one CPU core", "remarks": "It was quick."}


@functools.cache
def shipped(kind):
    return load_causal_lm("pocket-gpt2") if kind == "causal" else load_masked_lm("pocket-bert")


def exam_of(kind):
    return unseen(kind, 250, 1.0 if kind == "causal" else 0.05)


def test_unseen_is_drawn_once_and_asked_in_part():
    exam = unseen("masked", 20, 0.3, "sums")
    assert unseen("masked", 20, 0.3, "sums") is exam
    asked, there = sum(map(len, exam.positions)), sum(len(d.tokens) for d in exam.documents)
    assert asked / there == pytest.approx(0.3, abs=0.1)
    for document, positions, truth in zip(exam.documents, exam.positions, exam.truth, strict=True):
        assert len(positions) == len(truth)
        assert all(0 <= place < len(document.tokens) for place in positions)
    assert {d.text for d in exam.documents} != {
        d.text for d in unseen("masked", 20, 0.3, "sums", seed=1).documents
    }


@MODELS
def test_model_log_probs_equal_one_pass_per_token(kind, family):
    lm, exam = tiny(family), unseen(kind, 6, 0.3)
    found = model_log_probs(lm, exam, batch_tokens=64)
    for document, positions, values in zip(exam.documents, exam.positions, found, strict=True):
        ids = lm.tokenizer(document.text + pocketweb.END, return_tensors="pt").input_ids
        for place, value in zip(positions, values, strict=True):
            asked = ids.clone()
            if kind == "masked":
                asked[0, place + 1] = lm.tokenizer.mask_token_id
            else:
                asked = asked[:, : place + 1]
            with torch.no_grad():
                logits = lm.model(asked).logits[0, place + (kind == "masked")]
            assert value == pytest.approx(
                logits.double().log_softmax(-1)[ids[0, place + 1]].item(), abs=1e-4
            )


def test_the_truth_itself_has_no_gap(monkeypatch):
    exam = unseen("causal", 60)
    monkeypatch.setattr(evaluation, "model_log_probs", lambda lm, exam: exam.truth)
    gaps = gap_to_floor(None, exam)
    assert set(gaps) == {"all", "without echo and sums"} | {
        document.genre for document in exam.documents
    }
    n_documents = Counter(document.genre for document in exam.documents)
    for name, gap in gaps.items():
        assert (gap.gap.nats, gap.loss.nats) == (0.0, gap.floor.nats)
        if n_documents[name] == 1:  # one document says nothing of its own error
            assert math.isnan(gap.gap.standard_error)
        else:
            assert gap.gap == Estimate(0.0, 0.0)


def test_a_gap_is_paired(monkeypatch):
    exam = unseen("causal", 60)
    worse = [[log_p - 0.25 for log_p in truth] for truth in exam.truth]
    monkeypatch.setattr(evaluation, "model_log_probs", lambda lm, exam: worse)
    for gap in gap_to_floor(None, exam).values():
        assert gap.gap.nats == pytest.approx(0.25)
        assert gap.gap.standard_error == pytest.approx(0, abs=1e-9) or math.isnan(
            gap.loss.standard_error
        )
        assert gap.loss.nats == pytest.approx(gap.floor.nats + 0.25)


def test_genres_are_told_apart(monkeypatch):
    exam = unseen("causal", 200)
    worse = [
        [log_p - (d.genre == "echo") for log_p in t]
        for d, t in zip(exam.documents, exam.truth, strict=True)
    ]
    monkeypatch.setattr(evaluation, "model_log_probs", lambda lm, exam: worse)
    gaps = {name: gap.gap.nats for name, gap in gap_to_floor(None, exam).items()}
    assert gaps.pop("echo") == pytest.approx(1)
    assert 0 < gaps.pop("all") < 1
    assert set(gaps.values()) == {0.0}


@MODELS
def test_the_shipped_model_is_not_better_than_the_truth(kind, family):
    """If a model beat the floor, the floor would be wrong.

    On the documents of one genre the bound is the floor of a web of that genre alone: a model that
    expects the genre a little too often beats the truth of the whole web there, and pays for it
    elsewhere.
    """
    lm, exam = shipped(kind), exam_of(kind)
    gaps = gap_to_floor(lm, exam)
    assert len(gaps) == 2 + len(pocketweb.language().genres)
    assert gaps["all"].gap.nats > -3 * gaps["all"].gap.standard_error
    asked = zip(exam.documents, exam.positions, strict=True)
    alone = [
        pocketweb.language(document.genre).log_probs(kind, document, places)
        for document, places in asked
    ]
    for name, gap in gap_to_floor(lm, exam._replace(truth=alone)).items():
        assert gap.gap.nats > -3 * gap.gap.standard_error - 1e-6, (name, gap)


def test_floors_weigh_the_genres_by_their_true_shares():
    exam = unseen("causal", 600)
    found, plain = (
        floors.floors(exam),
        pocketweb.entropy_floor("causal", 600, evaluation.UNSEEN_SEED),
    )
    assert set(found) == {"all", *pocketweb.language().genres}
    assert found["all"].nats == pytest.approx(plain.nats, abs=3 * plain.standard_error)
    assert found["all"].standard_error < 0.7 * plain.standard_error
    shares = pocketweb.language().shares
    tokens = {g: [len(d.tokens) + 1 for d in exam.documents if d.genre == g] for g in shares}
    weights = {g: shares[g] * sum(lengths) / len(lengths) for g, lengths in tokens.items()}
    mixed = sum(weights[g] * found[g].nats for g in shares) / sum(weights.values())
    assert found["all"].nats == pytest.approx(mixed)


@MODELS
def test_the_card_says_what_was_measured(kind, family):
    lm, exam = shipped(kind), exam_of(kind)
    gaps, text = gap_to_floor(lm, exam), card.card(lm, exam, FACTS)
    assert text.startswith(
        f"<!-- Written by `python -m tests.tools.make_data card {family}`. -->\n"
    )
    for fact in (
        FACTS["command"],
        "Seed 3",
        "1,200 steps",
        "3,456,789 tokens",
        "1.2 hours",
        "one CPU core",
    ):
        assert fact in text
    for name, gap in gaps.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| {name} |"))
        assert row.split(" | ")[3].startswith(f"{gap.gap.nats:.3f} ± ")
    assert text.count("\n```text\n") == text.count("\n```\n") == 20
    assert "\n\n\n" not in text.split("## Twenty")[0]


def test_a_fence_is_longer_than_any_in_the_text():
    assert card._fenced("a").splitlines()[0] == "```text"
    assert card._fenced("one\n```` two").splitlines()[0] == "`````text"
    assert card._fenced("one```two").splitlines()[0] == "````text"


def test_the_commands_write_their_files(tmp_path, monkeypatch):
    monkeypatch.setattr(floors, "DATA", tmp_path)
    monkeypatch.setattr(floors, "N_DOCUMENTS", 60)
    monkeypatch.setattr(floors, "SHARE", {"causal": 1.0, "masked": 0.2})
    main(["floors"])
    written = json.loads((tmp_path / "floors.json").read_text(encoding="utf-8"))
    assert written["made_by"] == "python -m tests.tools.make_data floors"
    for objective in ("causal", "masked"):
        nats, standard_error = written[objective]["all"]
        assert 0 < standard_error < nats < math.inf
    monkeypatch.setattr(card, "DATA", tmp_path)
    monkeypatch.setattr(card, "N_DOCUMENTS", 250)
    (tmp_path / "pocket-gpt2").mkdir()
    (tmp_path / "pocket-gpt2" / "training.json").write_text(json.dumps(FACTS), encoding="utf-8")
    main(["card", "pocket-gpt2"])
    assert "# pocket-gpt2" in (tmp_path / "pocket-gpt2" / "README.md").read_text(encoding="utf-8")
