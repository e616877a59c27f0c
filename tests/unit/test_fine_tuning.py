"""Fine-tuning: the tasks against the grammar, the readers one text at a time, the sweep
interrupted.
"""

import itertools
import math
import re

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from helpers.lab import fine_tuning, pocketweb, tables
from helpers.lab.fine_tuning import (
    Example,
    Reader,
    accuracy,
    ceiling,
    examples,
    linear,
    word_counts,
)
from helpers.models import LanguageModel
from tests.support.tiny_models import tiny
from tests.tools.make_data import fine_tuning as maker
from tests.tools.make_data.fine_tuning import measure

FAMILIES = pytest.mark.parametrize("family", ["pocket-gpt2", "pocket-bert"])
NAMES = {row.text: row.columns["she"] for row in pocketweb.language().rules["hero"]}


def drawn(answers):
    """log p of each answer to the same question, as probabilities: the posterior in another way."""
    weights = [math.exp(pocketweb.log_prob(answer)) for answer in answers]
    return [weight / sum(weights) for weight in weights]


def test_the_truth_of_a_review_is_its_posterior():
    for example in examples("sentiment", 30, seed=3):
        assert "Verdict" not in example.text
        written = [
            f"{example.text}\nVerdict: {feeling}.<|endoftext|>" for feeling in ("good", "bad")
        ]
        assert example.truth == pytest.approx(drawn(written)[0], abs=1e-9)


def test_the_truth_of_a_role_is_the_kind_of_the_only_possible_name():
    for example in examples("role", 15, seed=3):
        names = {word for word in re.findall(r"\w+", example.text) if word in NAMES}
        assert sorted(NAMES[name] for name in names) == ["he", "she"]
        possible = [
            name for name in names if pocketweb.log_prob(f"{example.text} {name}.") > -math.inf
        ]
        assert [NAMES[name] == "she" for name in possible] == [example.label] == [example.truth]


def test_the_labels_take_turns_and_agree_with_the_truth():
    for task in ("sentiment", "role"):
        assert [e.label for e in examples(task, 8, seed=1)] == [0, 1] * 4
    assert sum(
        e.truth - e.label for e in examples("sentiment", 200, seed=8)
    ) / 200 == pytest.approx(0, abs=0.05)


def test_smaller_draws_are_the_beginning_of_larger_ones():
    assert examples("role", 20, seed=5)[:8] == examples("role", 8, seed=5)
    assert examples("role", 8, seed=5) != examples("role", 8, seed=6)


def test_an_unknown_task_is_refused():
    with pytest.raises(ValueError, match=r"no task 'spam'. The tasks are: sentiment, role"):
        examples("spam", 8, seed=0)


def test_nobody_passes_the_ceiling():
    test = [Example("", label, truth) for label, truth in ((1, 0.9), (0, 0.9), (0, 0.3), (1, 0.5))]
    best = ceiling(test)
    assert best == pytest.approx((0.9 + 0.9 + 0.7 + 0.5) / 4)
    everything = [accuracy(test, [code >> i & 1 for i in range(4)]) for code in range(16)]
    assert max(everything) == pytest.approx(best)
    assert min(everything) == pytest.approx(1 - best)


@FAMILIES
def test_a_reader_reads_each_text_as_if_alone(family):
    lm, texts = (
        tiny(family),
        ["The soup was dull.", "The cake was lovely, but the music was rude. Not recommended."],
    )
    reader = Reader(lm, seed=1)
    together = reader(texts)
    for text, scores in zip(texts, together, strict=True):
        ids = lm.tokenizer(text, return_tensors="pt").input_ids
        if lm.kind == "masked":
            ids = torch.cat([ids, torch.tensor([[lm.tokenizer.mask_token_id]])], 1)
        hidden = lm.model(ids, output_hidden_states=True).hidden_states[-1][0, -1]
        assert torch.allclose(scores, reader.head(hidden), atol=1e-4)


def test_a_causal_reader_equals_that_of_transformers(tmp_path):
    lm = tiny("pocket-gpt2")
    lm.model.save_pretrained(tmp_path)
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path, num_labels=2).eval()
    reader = Reader(lm, seed=1)
    theirs.score.weight.data = reader.head.weight.data
    inputs = lm.tokenizer("The soup was dull.", return_tensors="pt")
    found = reader(["The soup was dull."]) - reader.head.bias
    assert torch.allclose(theirs(**inputs).logits, found, atol=1e-4)


@FAMILIES
def test_fine_tuning_learns_its_examples_and_leaves_the_model_alone(family):
    lm, train = (
        tiny(family),
        [Example("The soup was superb.", 1, 1.0), Example("The soup was dull.", 0, 0.0)],
    )
    before = {name: weights.clone() for name, weights in lm.model.state_dict().items()}
    options = {"seed": 2, "steps": 60, "learning_rate": 5e-3}
    readers = [fine_tuning.fine_tune(Reader(lm, seed=2), train, **options) for _ in range(2)]
    assert fine_tuning.in_batches(readers[0], train).argmax(-1).tolist() == [1, 0]
    for pair in zip(*(reader.parameters() for reader in readers), strict=True):
        assert torch.equal(*pair)
    assert all(
        torch.equal(before[name], weights) for name, weights in lm.model.state_dict().items()
    )


def test_linear_solves_the_penalised_least_squares():
    torch.manual_seed(0)
    features, labels = torch.randn(20, 5), [0, 1] * 10
    centred = features - features.mean(0)
    strength = centred.square().sum(1).mean()
    signs = torch.tensor(labels) * 2.0 - 1
    weights = torch.linalg.solve(centred.T @ centred + strength * torch.eye(5), centred.T @ signs)
    new = torch.randn(50, 5)
    scores = (new - features.mean(0)) @ weights
    clear = scores.abs() > 1e-4
    assert torch.equal(linear(features, labels)(new)[clear], (scores > 0).long()[clear])


def test_a_bag_of_words_cannot_see_who_is_who():
    for example in examples("role", 60, seed=4):
        first, second = (word for word in re.findall(r"\w+", example.text) if word in NAMES)
        other = example.text.replace(first, "*").replace(second, first).replace("*", second)
        assert other != example.text
        assert torch.equal(*word_counts([example.text, other]))
        assert pocketweb.log_prob(other) == pytest.approx(pocketweb.log_prob(example.text))
    assert word_counts(["The mat, the mat."]).max() == 2


def test_from_scratch_has_the_same_shape_and_other_weights():
    lm = tiny("pocket-bert")
    fresh = fine_tuning.from_scratch(lm, seed=1)
    assert isinstance(fresh, LanguageModel)
    assert fresh.n_params == lm.n_params
    assert not torch.equal(next(fresh.model.parameters()), next(lm.model.parameters()))


def test_what_pre_training_knows_is_read_from_few_labels():
    frozen = measure("pocket-gpt2 frozen", "role", 64, seed=1)
    assert 0.7 < frozen <= 1
    assert measure("bag of words", "role", 64, seed=1) == pytest.approx(0.5, abs=0.07)


def test_an_interrupted_sweep_goes_on_and_never_leaves_half_a_row(tmp_path, monkeypatch):
    path, asked = tmp_path / "fine_tuning.csv", []
    monkeypatch.setattr(tables, "DATA", tmp_path)

    def measured(*run):
        asked.append(run)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return len(asked) / 10

    monkeypatch.setattr(maker, "measure", measured)
    options = {"path": path, "methods": ("bag of words",), "sizes": (8, 16), "seeds": (1,)}
    with pytest.raises(KeyboardInterrupt):
        maker.make_table(**options)
    columns = ["task", "labels", "accuracy"]
    kept = tables.read("fine_tuning")[columns].to_numpy().tolist()
    assert kept == [["sentiment", 8, 0.1], ["sentiment", 16, 0.2]]
    maker.make_table(**options)
    assert asked[2:] == [("bag of words", "role", n, 1) for n in (8, 8, 16)]
    kept = tables.read("fine_tuning")[columns].to_numpy().tolist()
    assert kept[2:] == [["role", 8, 0.4], ["role", 16, 0.5]]
    assert [file.name for file in tmp_path.iterdir()] == ["fine_tuning.csv"]
    monkeypatch.setattr(maker, "made_by", lambda: "other weights")
    maker.make_table(**options)
    assert len(asked) == 9
    assert path.read_text().startswith(
        "# made by: other weights\ntask,method,labels,seed,accuracy\nsentiment,"
    )


def test_the_shipped_table_is_whole_and_of_the_shipped_weights():
    assert tables.made_by("fine_tuning") == maker.made_by()
    found = tables.read("fine_tuning")
    keys = ["task", "method", "labels", "seed"]
    plan = itertools.product(fine_tuning.TASKS, maker.METHODS, maker.SIZES, maker.SEEDS)
    assert sorted(map(tuple, found[keys].to_numpy().tolist())) == sorted(plan)
    best = found.groupby("task").accuracy.max()
    assert all(best[task] <= ceiling(fine_tuning.exam(task)) for task in fine_tuning.TASKS)
