"""What must hold in 06_fill_mask_with_bert.ipynb; see `tests/support/notebook_checks.py`."""


def after_explorer():
    """What the page says next to it: the true chance of cat, with more and more words shown."""
    from helpers.lab import pocketweb

    shown = ("The [MASK]", "The [MASK] sat on", sentence)
    truths = [pocketweb.blank(text)[" cat"] for text in shown]
    assert [round(100 * truth) for truth in truths] == [4, 21, 64]


def after_program_inside():
    candidate = fill(sentence)[0]
    assert (candidate["token"], pocket.tokenizer.decode(best)) == (best, " cat")
    assert abs(candidate["score"] - chances[best].item()) < 1e-5


def after_several_run():
    for mine, theirs in zip(fill_mask(pocket, sentence), fill(sentence), strict=True):
        assert mine.token_id == theirs["token"]
        assert abs(mine.probability - theirs["score"]) < 1e-5


def after_several_truth():
    """The sums over pairs are the exact chances of one blank given all that is known."""
    assert abs(pairs.sum() - 100) < 1e-9
    assert (animals.idxmax(), sounds.idxmax()) == ("cat", "woof")
    assert pairs.get(("cat", "woof"), 0) == 0 < pairs["cat", "meow"]
    dogs = {animal for animal, sound in pairs[pairs > 0].index if sound == "woof"}
    assert len(dogs) == 3


def after_several_possible():
    assert not pocketweb.is_possible("The cat said woof.")
    assert pocketweb.is_possible("The cat said meow.")


def after_several_compare():
    n_possible = possible.sum()
    assert n_possible["at_once"] < n_possible["one_by_one"] <= len(doubles)


def after_targets_run():
    three = fill_mask(pocket, sentence, targets=["dog", "cat", "rat"])
    everything = fill_mask(pocket, sentence, top_k=len(pocket.vocabulary))
    assert sum(candidate.probability for candidate in three) < 1
    assert abs(sum(candidate.probability for candidate in everything) - 1) < 1e-4


def after_space_run():
    (mine,) = fill_mask(pocket, sentence, targets=["cat"])
    assert mine.token_id == pocket.tokenizer.convert_tokens_to_ids("Ġcat")


def after_bias_texts():
    assert len(templates) == len(set(templates)) == 24
    assert all(text.count("[MASK]") == text.count("JOB") == 1 for text in templates)


def after_bias_measure():
    expected = {"baker": 80, "potter": 25}
    for job in jobs:
        assert abs(true_shares[job] - expected.get(job, 50)) < 0.01
        assert abs(shares[job] - true_shares[job]) < 3, "the page says: within about 2 points"
        assert 0 < half[job] < 3


def after_right_run():
    assert list(puzzle_table.index) == list(puzzles)
    columns = puzzle_table.mean()
    assert columns["both sides, pocket-bert"] > columns["left side, pocket-gpt2"] + 0.4


def after_pppl_rank():
    assert len(ranked) == 2
    assert min(ranked.values()) > 0.8 * len(good), ranked


def after_pppl_pseudo():
    assert pseudo > exact


def after_real_explorer():
    assert "not on this machine" in real.status.value
    assert real.lm is None


def after_real_ask_run():
    assert set(rows) == set(relatives)
