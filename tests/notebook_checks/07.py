"""What must hold in 07_fine_tuning.ipynb; see `tests/support/notebook_checks.py`."""


def after_words_run():
    assert max(tuned.values()) <= ceiling(test)
    assert tuned["pocket-gpt2"] > tuned["bag of words"]


def after_curves_check():
    pretrained = max(most["pocket-gpt2"], most["pocket-bert"])
    assert ceiling(test) > pretrained > max(scratch, most["bag of words"])


def after_role_swap_share():
    assert torch.equal(*bags)
    assert share == 0.5


def after_ask_both_run():
    assert prompted["pocket-gpt2"] > plain["pocket-gpt2"]


def after_exact_check():
    assert abs(exact - ceiling(test)) < 0.02


def after_auto_run():
    assert torch.allclose(difference, -reader.head.bias.data, atol=1e-4)


def after_search_run():
    assert min(shares.values()) > 3 / 60
