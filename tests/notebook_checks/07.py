"""What must hold in 07_fine_tuning.ipynb; see `tests/support/notebook_checks.py`."""


def after_words_run():
    """What the text below says of the exam's luck holds for a good reader and for a coin."""
    assert max(tuned.values()) <= 100 * ceiling(test)
    assert tuned["pocket-gpt2"] > tuned["bag of words"]
    truth = torch.tensor([e.truth for e in test])
    named = fine_tuning.in_batches(reader, test).argmax(-1)
    for labels in (named, torch.arange(len(test)) % 2):
        shares = 100 * torch.where(labels == 1, truth, 1 - truth)
        assert round((shares.std() / len(test) ** 0.5).item()) in (1, 2)


def after_curves_check():
    """What the text below says of both families, of every seed and of the bag of words."""
    seeds = reviews.groupby(["method", "labels"]).accuracy.agg(["min", "mean", "max"])
    for name in ("pocket-gpt2", "pocket-bert"):
        scratch = seeds.loc[f"{name} from scratch"]
        assert saved[name]["pre-trained: labels"] == 16
        assert seeds.loc[name, "mean"][8] < scratch["mean"][512] <= seeds.loc[name, "mean"][16]
        assert seeds.loc[name, "min"][32] > scratch["max"][512]
    gpt_seeds, bert_seeds = seeds.loc["pocket-gpt2"], seeds.loc["pocket-bert"]
    assert (gpt_seeds["min"] < bert_seeds["max"]).all()
    assert (bert_seeds["min"] < gpt_seeds["max"]).all()
    bag = seeds.loc["bag of words", "mean"]
    assert (seeds.loc["pocket-gpt2 from scratch", "mean"] < bag).all()
    assert (seeds.loc["pocket-bert from scratch", "mean"] < bag + 3).all()


def after_role_swap_check():
    assert torch.equal(*bags)
    assert share == 0.5


def after_role_curves():
    """Pre-trained, pocket-bert is ahead from 32 labels on, and its band is apart."""
    seeds = people.query("labels >= 32").groupby(["method", "labels"]).accuracy.agg(["min", "max"])
    assert (seeds.loc["pocket-bert", "min"] > seeds.loc["pocket-gpt2", "max"]).all()


def after_frozen_table():
    """For reviews the three seeds agree in 3 of 14 cases, as luck alone would have it in 3.5."""
    cases = [*differences["sentiment, pocket-gpt2"], *differences["sentiment, pocket-bert"]]
    assert len(cases) == 14
    assert sum(case != "unclear" for case in cases) == 3


def after_ask_run():
    """Labels made it worse, for both models and all seeds; without the question far lower."""
    for found in rows.values():
        asked_alone, _, _, highest, plain = found.values()
        assert 100 * ceiling(test) > asked_alone > highest > plain + 15


def after_exact_check():
    """The sum over all ways agrees with the exam and with a sum over agreeing sentences alone."""
    shapes = [(0.84, 0.84, 0.9), (0.84, 0.84, 0.84, 0.9), (0.84, 0.92), (0.9, 0.84, 0.92)]
    by_hand = 0.0
    for shape in shapes:
        for praises in itertools.product((True, False), repeat=len(shape)):
            pairs = list(zip(shape, praises, strict=True))
            good = math.prod(p if praise else 1 - p for p, praise in pairs)
            bad = math.prod(1 - p if praise else p for p, praise in pairs)
            by_hand += max(good, bad) / 2 / len(shapes)
    assert abs(whole - 100 * by_hand) < 1e-6
    assert abs(whole - 100 * ceiling(test)) < 2
    assert abs(sum(chance for chance, _ in ways("review", "good")) - 1) < 1e-9
    assert whole > bag_only > 50


def after_exact_words():
    assert max(row["accuracy, %"] for row in rows.values()) < bag_only - 5


def after_auto_run():
    assert torch.allclose(difference, -reader.head.bias.data, atol=1e-4)


def after_search_run():
    assert found["counting shared words"] > max(found["pocket-gpt2"], found["pocket-bert"]) > 30
    assert abs(found["pocket-gpt2"] - found["pocket-bert"]) <= 6
