"""What must hold in 03_scaling_laws.ipynb; see `tests/support/notebook_checks.py`."""


def after_live_draw():
    assert gaps[0] > 1.5 * gaps[-1] > 1.5 * by_ruler


def after_shipped_mine():
    for row, gap in zip(theirs, gaps, strict=True):
        assert abs(gap / row["gap"] - 1) < 0.1, row


def after_straight_run():  # at the largest number of tokens, the last of the loop
    assert decades >= 1.3
    assert r2 >= 0.98


def after_fit_pocket():
    assert floor < loss


def after_held_show():
    assert abs(misses["floor known"]) < 0.10


def after_residual_luck():
    assert len(spreads) == 16
    assert luck < middle


def after_pull_run():
    assert max(map(abs, guessed.values())) < 0.4


def after_iso_tokens():
    assert 15 < min(per_parameter) < max(per_parameter) < 30


def after_masked_run():
    assert families["masked"].alpha < families["causal"].alpha


def after_write_pocket_run():
    for one in (pocket, load_masked_lm("pocket-bert", device="cpu")):
        p = [given.probabilities[0] for given in answer(one, asked)]
        assert np.mean(np.log(p)) < np.mean(np.log(best)) + 0.1, one.name


def after_real_run():
    sizes_of = {name: compute_optimal(law, GOPHER)[0] for name, law in published.items()}
    assert sizes_of["refitted"] > 2.2 * sizes_of["as printed"]


def after_real_models():
    each = {name: d / n for name, (n, d) in trained.items()}
    assert each["GPT-3"] < 2 < 19 < each["Chinchilla"] < 21 < each["Llama-3-70B"]


def after_cost_widget():
    from helpers.explorers.training_cost import training_cost

    n, before = explorer.inputs["billion_params"], explorer.table.value
    n.value = 7
    assert explorer.table.value != before
    n.value = 70
    small_one, large_one = training_cost(billion_params=7), training_cost()
    assert small_one["loss"] > large_one["loss"]
    assert abs(small_one["days"] * 10 / large_one["days"] - 1) < 1e-9


def after_silent_table():
    echo = list(ability("echo of 4 words", "exact match", "causal", budgets[-1]).values())
    falling = list(column(points(tokens=budgets[-1]), "gap"))
    assert falling == sorted(falling, reverse=True)
    assert max(echo[:4]) < 0.05 < 0.5 < max(echo)
