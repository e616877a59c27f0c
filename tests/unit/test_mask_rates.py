"""The pairs of masked models that hide 15 and 40 %: how they are made, and the shipped table."""

import pytest

from helpers.lab import tables
from helpers.lab.architecture import build_tokenizer
from helpers.lab.batches import Batches
from helpers.lab.evaluation import unseen
from tests.tools.make_data import mask_rates


def test_the_two_of_a_pair_differ_in_the_share_of_blanks_alone(monkeypatch):
    asked = []
    real = mask_rates.pretrain

    def short(objective, steps, **settings):
        asked.append((objective, steps, settings))
        small = {"n_layer": 1, "d_model": 8, "n_head": 2, "decay_steps": 1}
        return real(objective, 1, **settings | small)

    def few(objective, n_documents, **settings):
        return unseen(objective, n_documents // 20, **settings)

    monkeypatch.setattr(mask_rates, "pretrain", short)
    monkeypatch.setattr(mask_rates, "unseen", few)
    rows = [mask_rates.measure(250, 3, rate) for rate in mask_rates.RATES]
    (_, steps, first), (_, _, second) = asked
    assert [settings.pop("mask_rate") for settings in (first, second)] == [0.15, 0.4]
    assert (steps, first["seed"]) == (250, 3)
    assert first == second
    assert [row["mask_rate"] for row in rows] == [0.15, 0.4]
    assert rows[0]["tokens"] == rows[1]["tokens"]
    assert rows[0]["gap"] != rows[1]["gap"]


def test_a_pair_reads_the_same_texts():
    tokenizer, seen = build_tokenizer(), []
    for rate in mask_rates.RATES:
        batch = Batches("masked", tokenizer, 512, rate, mask_rates.GENRES, seed=5)[7]
        asked = batch["labels"] != -100
        seen.append(batch["labels"].where(asked, batch["input_ids"]))
    assert (seen[0] == seen[1]).all()


def test_a_table_is_continued(tmp_path, monkeypatch):
    path, made = tmp_path / "mask_rates.csv", []
    monkeypatch.setattr(tables, "DATA", tmp_path)

    def measure(steps, seed, rate):
        made.append((steps, seed, rate))
        row = {"steps": steps, "seed": seed, "mask_rate": rate}
        return row | {"tokens": 10 * steps, "gap": rate}

    monkeypatch.setattr(mask_rates, "measure", measure)
    mask_rates.make_table(path, {250: 1})
    mask_rates.make_table(path, {250: 2})
    assert made == [(250, seed, rate) for seed in (0, 1) for rate in (0.15, 0.4)]
    assert len(tables.read("mask_rates")) == 4
    assert tables.made_by("mask_rates") == mask_rates.MADE_BY


def test_the_shipped_table_is_the_plan_and_says_what_the_page_says():
    table = tables.read("mask_rates")
    runs = {(row.steps, row.seed, row.mask_rate) for row in table.itertuples()}
    plan = mask_rates.PAIRS.items()
    seeds = [(steps, seed) for steps, n in plan for seed in range(n)]
    assert runs == {(*pair, rate) for pair in seeds for rate in mask_rates.RATES}
    gaps = table.pivot(index=["steps", "seed"], columns="mask_rate", values="gap")
    lead = gaps[0.15] - gaps[0.40]
    assert lead[250].min() > 0.3
    assert 0 < lead[1000].min() < lead[1000].max() < 0.06
    assert abs(lead[4000].mean()) < 0.02
    assert table.groupby("steps").tokens.mean().to_dict() == pytest.approx(
        {steps: 520 * steps for steps in mask_rates.PAIRS}, rel=0.01
    )
