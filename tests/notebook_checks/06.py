"""What must hold in 06_fill_mask_with_bert.ipynb; `tests/support/notebook_checks.py` says how."""


def after_explorer():
    explorer.right_words.value = 0
    assert "0 of 5 words" in explorer.status.value
    clueless = explorer.bars.value
    explorer.right_words.value = 5
    assert explorer.bars.value != clueless
