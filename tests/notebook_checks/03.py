"""What must hold in 03_scaling_laws.ipynb; see `tests/support/notebook_checks.py`."""


def after_live_draw():
    assert five.gap[0] > 1.5 * five.gap[4] > 1.5 * by_ruler


def after_shipped_mine():
    ratio = beside["gap, yours"] / beside["gap, shipped"]
    assert (abs(ratio - 1) < 0.1).tolist() == [True] * 5, beside


def after_shipped_draw():
    """Each line is steeper on its left half, and more text makes a line steeper as a whole."""
    logs = [np.log([line.parameters, line.gap]) for _, line in gpts.groupby("million_tokens")]
    whole, left, right = (
        [np.polyfit(*points[:, part], 1)[0] for points in logs]
        for part in (slice(None), slice(4), slice(-4, None))
    )
    assert all(a < b for a, b in zip(left, right, strict=True))
    assert whole == sorted(whole, reverse=True)


def after_straight_run():
    left, right = (slopes[name] for name in stretches)
    assert (left < right).all()
    assert left.is_monotonic_decreasing
    assert right.is_monotonic_decreasing


def after_depth_slopes():
    two_layers = slope_between(start, "2 layers, width 32")
    assert slope_between("2 layers, width 16", start) < two_layers - 0.1
    assert two_layers < slope_between(start, "3 layers, width 32") < 0


def after_fit_truth():
    assert low < floor < free.E < high
    assert below < 0.5
    assert high - low > used.gap.min()


def after_fit_pocket():
    assert floor < pocket_loss < free.E


def after_held_show():
    mean = misses["mean miss"]
    assert mean["ruler, last 4 sizes"] < mean["law, floor known"] < mean["ruler, last 7 sizes"]
    assert abs(misses.loc["law, floor known"].iloc[3:5]).max() < 10
    assert misses.loc["law, floor known"].iloc[0] > 100 / 3
    assert abs(mean["law, floor known"] - mean["same as the next smaller"]) < 3


def after_ten_run():
    percent = 100 * (1 - after / before)
    assert abs(percent - [16.8, 9.0, 4.5, 2.1]).max() < 0.1


def after_residual_luck():
    assert seeds.size().tolist() == [3] * 16
    assert luck < middle


def after_pull_run():
    assert abs(pulled["held-out gap off, %"]).max() < 40


def after_iso_line():
    assert abs(np.polyfit(np.log(compute), np.log(six_n_d), 1)[0] - counts.iloc[0, 2]) < 0.02


def after_iso_tokens():
    assert 15 < min(each) < max(each) < 30


def after_masked_differ():
    found = pd.DataFrame(differ, index=["value", "low", "high"]).T
    inside = (found.low < 0) & (found.high > 0)
    assert inside.tolist() == [False, True, True, True], found


def after_real_run():
    sizes_of = optimum["N, billion"]
    assert sizes_of["refitted"] > 2.2 * sizes_of["as printed"]
    assert sizes_of["refitted to all 245 points"] > 1.3 * sizes_of["refitted"]


def after_real_models():
    ratio = trained["D / N"].round(1)
    assert ratio[["Llama-2-70B", "Llama-3-70B"]].tolist() == [28.6, 214.3]
    assert ratio["GPT-3"] < 2 < ratio["Chinchilla"] == 20


def after_cost_widget():
    from helpers.explorers.training_cost import training_cost

    n, before = explorer.inputs["billion_params"], explorer.table.value
    n.value = 7
    assert explorer.table.value != before
    n.value = 70
    small_one, large_one = training_cost(billion_params=7), training_cost()
    assert small_one["loss"] > large_one["loss"]
    assert abs(small_one["days"] * 10 / large_one["days"] - 1) < 1e-9
