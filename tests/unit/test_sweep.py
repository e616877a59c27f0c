"""The sweep: what it measures, and that nothing is lost or done twice."""

import csv
import json

import pandas as pd
import pytest

from helpers.lab import abilities, tables
from helpers.lab.pretraining import LOOP, pretrain
from tests.tools.make_data import sweep, write_table
from tests.tools.make_data.sweep import ADDERS, PLAN, Run, run_sweep

TINY = (Run("causal", 1, 8, 1, tokens=(4096, 8192)), Run("masked", 1, 8, 1, tokens=(4096,)))


@pytest.fixture(autouse=True, scope="module")
def small():
    items = {
        "echo of 4 words": lambda: abilities.echoes(4, 6),
        "sums of 1 digit": lambda: abilities.sums(1, 6),
    }
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(sweep, "EXAM", {"causal": (20, 1.0), "masked": (10, 0.1)})
        monkeypatch.setattr(sweep, "ITEMS", items)
        yield


@pytest.fixture(scope="module")
def swept(small, tmp_path_factory):
    """The folder of a finished sweep: its tables, and under "work" its points. Only read it."""
    folder = tmp_path_factory.mktemp("sweep")
    run_sweep(folder / "work", folder, TINY)
    return folder


def table(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# made by: python -m tests.tools.make_data sweep")
    return list(csv.DictReader(lines[1:]))


def test_a_sweep_gives_one_row_a_point(swept):
    rows = table(swept / "sweep.csv")
    assert [(row["objective"], int(row["n_layer"]), int(row["d_model"])) for row in rows] == [
        ("causal", 1, 8),
        ("causal", 1, 8),
        ("masked", 1, 8),
    ]
    for row, asked in zip(rows, (4096, 8192, 4096), strict=True):
        assert asked <= int(row["tokens"]) < 1.2 * asked
        assert float(row["loss"]) - float(row["floor"]) == pytest.approx(
            float(row["gap"]), rel=1e-3
        )
        assert float(row["flops"]) > 6 * int(row["n_body_params"]) * int(row["tokens"])
    bodies = [888, 888, 976]  # a layer 12 * 8² + 13 * 8, norms 16; masked: a head of 8 * 9 + 16
    assert [int(row["n_body_params"]) for row in rows] == bodies
    answers = table(swept / "abilities.csv")
    assert len(answers) == 3 * 2 * len(sweep.RULERS)
    assert {row["ability"] for row in answers} == set(sweep.ITEMS)


def test_a_branch_that_cools_down_leaves_the_run_alone(swept, tmp_path):
    """The second point is that of a run which never had a first one."""
    both = table(swept / "sweep.csv")
    run_sweep(tmp_path / "second", tmp_path, [TINY[0]._replace(tokens=(8192,))])
    assert table(tmp_path / "sweep.csv")[0]["loss"] == both[1]["loss"]


def test_the_last_sixth_cools_down(tmp_path, monkeypatch):
    calls = []

    def recorded(**options):
        calls.append((options["steps"], options["decay_steps"], options["folder"].name))
        return pretrain(**options)

    monkeypatch.setattr(sweep, "pretrain", recorded)
    run_sweep(tmp_path / "work", tmp_path, [TINY[0]._replace(tokens=(12 * 1024, 24 * 1024))])
    assert calls == [(10, 0, "run"), (12, 2, "cooling"), (20, 0, "run"), (24, 4, "cooling")]


def test_points_that_are_there_are_not_made_again(swept, tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "pretrain", None)
    run_sweep(swept / "work", tmp_path, TINY)
    for name in ("sweep.csv", "abilities.csv"):
        assert (tmp_path / name).read_bytes() == (swept / name).read_bytes()


def test_an_interrupted_sweep_goes_on(swept, tmp_path, monkeypatch):
    calls = []

    def interrupted(*arguments, **options):
        calls.append(options["steps"])
        lm, history = pretrain(*arguments, **options)
        return lm, history[:-1] if len(calls) == 4 else history

    expected = [row["loss"] for row in table(swept / "sweep.csv")][:2]
    monkeypatch.setattr(sweep, "pretrain", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_sweep(tmp_path / "work", tmp_path, TINY[:1])
    assert [file.name for file in (tmp_path / "work").rglob("*.json")] == ["4096.json"]
    run_sweep(tmp_path / "work", tmp_path, TINY[:1])
    assert [row["loss"] for row in table(tmp_path / "sweep.csv")] == expected


def test_a_run_that_another_worker_holds_is_left_to_it(tmp_path):
    with sweep.FileLock(tmp_path / f"{TINY[0].name}.lock"):
        run_sweep(tmp_path, tmp_path, TINY)
    assert {
        json.loads(file.read_text())["point"]["objective"] for file in tmp_path.rglob("*.json")
    } == {"masked"}


def test_a_specialist_reads_one_genre_and_is_asked_about_it_alone(tmp_path, monkeypatch):
    options = []
    monkeypatch.setattr(
        sweep, "pretrain", lambda **given: options.append(given) or pretrain(**given)
    )
    run_sweep(tmp_path / "work", tmp_path, [TINY[0]._replace(reads="sums", tokens=(4096,))])
    assert {given["genres"] for given in options} == {("sums",)}
    assert table(tmp_path / "sweep.csv") == []  # another floor than that of all of PocketWeb
    asked = {(row["reads"], row["ability"]) for row in table(tmp_path / "abilities.csv")}
    assert asked == {("sums", "sums of 1 digit")}


def test_the_tables_are_data_frames_of_numbers(swept, monkeypatch):
    monkeypatch.setattr(tables, "DATA", swept)
    found = tables.read("sweep", loop=LOOP)
    assert found.objective.tolist() == ["causal", "causal", "masked"]
    assert found.d_model.tolist() == [8, 8, 8]
    assert found.loss.dtype == float
    assert tables.read("sweep").empty  # none of another loop


def test_rows_of_another_loop_stay(swept, tmp_path):
    """Fault: a table is written anew. What an older loop had measured is still there."""
    for name in ("sweep", "abilities"):
        text = (swept / f"{name}.csv").read_text(encoding="utf-8")
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
        older = pd.read_csv(tmp_path / f"{name}.csv", skiprows=1).assign(loop=LOOP - 1)
        write_table(tmp_path / f"{name}.csv", "an older loop", older)
    run_sweep(swept / "work", tmp_path, TINY)
    for name in ("sweep", "abilities"):
        found = pd.read_csv(tmp_path / f"{name}.csv", skiprows=1)
        assert found.loop.value_counts().to_dict() == {
            LOOP: len(found) / 2,
            LOOP - 1: len(found) / 2,
        }
        twins = [
            part.drop(columns="loop").reset_index(drop=True) for _, part in found.groupby("loop")
        ]
        pd.testing.assert_frame_equal(*twins)


def test_rows_of_other_points_stay_and_none_comes_twice(swept, tmp_path):
    run_sweep(swept / "work", tmp_path, TINY[1:])
    for plan in (TINY[:1], TINY):
        run_sweep(swept / "work", tmp_path, plan)
        for name in ("sweep", "abilities"):
            here, all_points = table(tmp_path / f"{name}.csv"), table(swept / f"{name}.csv")
            assert len(here) == len(all_points)
            assert {row["tokens"] for row in here} == {row["tokens"] for row in all_points}


def test_the_further_seeds_are_shipped():
    shipped = tables.read("abilities", loop=LOOP).query("reads == 'sums'")
    found = set(zip(shipped.d_model, shipped.seed, shipped.n_head, strict=True))
    assert found == {(run.d_model, run.seed, run.n_head) for run in sweep.MORE_SEEDS}
    assert shipped.groupby(["d_model", "seed"]).tokens.nunique().eq(4).all()
    assert {run.name for run in sweep.MORE_SEEDS}.isdisjoint(run.name for run in PLAN)


def test_the_plan_is_as_large_as_promised():
    names = [(run.name, tokens) for run in PLAN for tokens in run.tokens]
    assert len(names) == len(set(names))
    plan = [run for run in PLAN if run.reads == "all"]
    for objective, n_sizes, n_tokens in (("causal", 8, 6), ("masked", 6, 5)):
        main = [
            run
            for run in plan
            if run.objective == objective and run.seed == 0 and len(run.tokens) > 2
        ]
        assert len(main) >= n_sizes
        assert all(len(run.tokens) >= n_tokens for run in main)
        body = [12 * run.n_layer * run.d_model**2 for run in main]
        assert max(body) / min(body) >= 100
    causal = {(run.n_layer, run.d_model, tokens) for run in plan[:8] for tokens in run.tokens}
    thrice = [
        {
            (run.n_layer, run.d_model, tokens)
            for run in plan
            if run.objective == "causal" and run.seed == seed
            for tokens in run.tokens
        }
        for seed in (0, 1, 2)
    ]
    assert len(set.intersection(*thrice)) >= len(causal) / 3
    adders = {
        run.d_model: {other.seed for other in ADDERS if other.d_model == run.d_model}
        for run in ADDERS
    }
    assert len(adders) >= 8
    assert sum(len(seeds) == 3 for seeds in adders.values()) >= 3
