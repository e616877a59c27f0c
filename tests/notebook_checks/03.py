"""What must hold in 03_scaling_laws.ipynb; see `tests/support/notebook_checks.py`."""


def after_live_draw():
    assert five.gap[0] > 1.5 * five.gap[4] > 1.5 * by_ruler


def after_shipped_mine():
    assert (abs(beside.gap_yours / beside.gap_shipped - 1) < 0.1).tolist() == [True] * 5, beside


def after_straight_run():  # at the largest number of tokens
    assert stretches.decades[3.3] >= 1.3
    assert stretches["R²"][3.3] >= 0.98


def after_fit_pocket():
    assert floor < loss


def after_held_show():
    assert abs(predicted["off, %"]["floor known"]) < 10


def after_residual_luck():
    assert seeds.size().tolist() == [3] * 16
    assert luck < misses.median()


def after_pull_run():
    assert abs(pulled["held-out gap off, %"]).max() < 40


def after_iso_tokens():
    assert 15 < min(best["tokens per parameter"]) < max(best["tokens per parameter"]) < 30


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
    each = trained.D / trained.N
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
    echo, falling = exact["echo of 4 words"].tolist(), gap.tolist()
    assert falling == sorted(falling, reverse=True)
    assert max(echo[:4]) < 0.05 < 0.5 < max(echo[4:8])
