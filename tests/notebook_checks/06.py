"""What must hold in 06_fill_mask_with_bert.ipynb; see `tests/support/notebook_checks.py`."""


def after_explorer():
    explorer.right_words.value = 0
    assert "0 of 5 words" in explorer.status.value
    clueless = explorer.bars.value
    explorer.right_words.value = 5
    assert explorer.bars.value != clueless


def after_program_inside():
    assert abs(probabilities.max().item() - fill(sentence)[0]["score"]) < 1e-5


def after_same_check():
    for mine, theirs in zip(fill_mask(pocket, sentence), fill(sentence), strict=True):
        assert mine.token_id == theirs["token"]
        assert abs(mine.probability - theirs["score"]) < 1e-5


def after_right_run():
    causal, masked = (sum(column) / len(shares) for column in zip(*shares, strict=True))
    assert masked > causal + 0.4


def after_several_marginals():
    assert best not in joint


def after_several_count():
    assert possible[at_once] < len(doubles)
    assert possible[one_by_one] >= possible[at_once]


def after_targets_run():
    three = fill_mask(pocket, sentence, targets=["dog", "cat", "rat"])
    everything = fill_mask(pocket, sentence, top_k=len(pocket.vocabulary))
    assert sum(candidate.probability for candidate in three) < 1
    assert abs(sum(candidate.probability for candidate in everything) - 1) < 1e-4


def after_space_run():
    (mine,) = fill_mask(pocket, sentence, targets=["cat"])
    assert mine.token_id == tokenizer.convert_tokens_to_ids("Ġcat")


def after_pppl_rank():
    assert len(ranked) == 2
    assert min(ranked.values()) > 0.8 * len(good), ranked


def after_pppl_pseudo():
    assert pseudo > exact


def after_bias_measure():
    assert abs(truth["baker"] - 80) < 0.01
    assert abs(truth["potter"] - 25) < 0.01
    assert model["baker"][0] > model["potter"][0]


def after_real_explorer():
    assert "not on this machine" in real.status.value
    assert real.lm is None


def after_relatives_run():
    for name in relatives:
        (cat,) = fill_mask(
            load_masked_lm(name, fallback="pocket-bert", download=False), sentence, targets=["cat"]
        )
        assert cat.token == "cat", name


def after_real_bias_run():
    assert all(0 <= share <= 100 for share, half in probed.values())
