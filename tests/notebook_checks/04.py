"""What must hold in 04_emergent_abilities.ipynb; see `tests/support/notebook_checks.py`."""


def after_echo_moments():
    assert shares["two layers"].iloc[-1] > 0.85
    assert shares["one layer"].iloc[-1] < 0.45
    assert moment(two, 0.8) - moment(two, 0.2) < steps / 5
    assert (shares["two layers"] - shares["one layer"])[:300].max() < 0.05


def after_echo_loss():
    def fall(first, last):
        return two[first]["loss"] - two[last]["loss"]

    assert fall(half - 50, half + 50) > 2 * fall(half - 150, half - 50)


def after_echo_seeds_run():
    end, jumped = (
        trained.pivot(index=["layers", "rate"], columns="seed", values=name)
        for name in ("right", "jump_step")
    )
    assert end.loc[2, rate].min() > 0.9
    assert jumped.loc[2, rate].notna().all()
    assert max(end.loc[1, rate].max(), end.loc[2, 10 * rate].max()) < 0.5


def after_surgery_view():
    from helpers.lab.echo import LOOKS, surgery

    assert surgery(two_layers).accuracy > 0.95
    assert surgery(two_layers, LOOKS[:1]).accuracy < 0.1
    assert surgery(two_layers, LOOKS[1::2]).accuracy > 0.8


def after_surgery_seeds_run():
    by_cut = operated.pivot(index="cut", columns="seed", values="right")
    assert by_cut.loc["nothing"].min() > 0.95
    blocked, alone = by_cut.loc["layer 1, at the word before"], by_cut.loc["both, at all else"]
    assert blocked.drop(3).max() < 0.1 < 0.5 < blocked[3]
    assert alone.drop(3).min() > 0.9 > 0.1 > alone[3]


def after_sweep_widget():
    rulers = RulerExplorer(adders)
    exact = rulers.view.value
    rulers.ruler.value = "token probability"
    assert rulers.view.value != exact
    assert "token probability: sums of 1 digit" in rulers.status.value


def after_sweep_numbers():
    match, probability = (
        by_adders["sums of 3 digits", ruler].tolist()
        for ruler in ("exact match", "token probability")
    )
    assert max(match[:5]) < 0.05 < 0.5 < max(match[5:])
    assert probability[1] > 1.8 * probability[0]
    assert max(probability[1:5]) < 1.05 * min(probability[1:5])
    assert max(probability[5:]) > 3 * probability[4]


def after_sweep_seeds_run():
    narrow, wide = (by_seed.loc[some].stack().dropna() for some in (slice(24), slice(32, None)))
    assert (len(narrow), len(wide)) == (16, 11)
    assert narrow.max() < 0.14
    assert (wide > 0.9).sum() == len(wide) - 1


def after_stays_run():
    for seed in (0, 1, 2):
        for ruler in ("exact match", "token probability"):
            share, where = largest_step("sums of 2 digits", ruler, seed)
            assert share > most
            assert where == "24 to 32"
        for ruler in ("edit distance", "Brier score"):
            assert largest_step("sums of 3 digits", ruler, seed)[0] < most
    for ruler in ("exact match", "token probability"):
        three = [largest_step("sums of 3 digits", ruler, seed) for seed in (0, 1, 2)]
        assert sum(share > most for share, _ in three) == 2
        assert len({where for _, where in three}) > 1


def after_mirror_run():
    assert table.loc[("2 digits", "no"), "sums"] == 171
    assert table.loc[("2 digits", "too"), "right, %"] == 100


def after_real_load():
    """Nothing of the pocket model: the button, and a recording of labels."""
    assert "not on this machine" in real.status.value
    assert "Recorded" in real.children[-1].value
    assert "all others" in real.children[-1].value, "its bars"


def after_real_run():
    assert list(rows) == [f"{k} examples" for k in (0, 2, 4, 8)] + ["8 examples, exchanged"]
    assert rows["8 examples"][0] == 1.0, "all 24, as the prose says"
    assert rows["8 examples, exchanged"][0] == 0.5
    assert all(0 <= share <= 1 for row in rows.values() for share in row)


def after_few_control():
    seven = "few-shot, 7 examples"
    right, wrong = (
        score(stored[name], RULERS["exact match"]) for name in (seven, f"{seven}, random labels")
    )
    either = (right.standard_error**2 + wrong.standard_error**2) ** 0.5
    assert abs(right.mean - wrong.mean) < 4 * either
    assert abs(right.mean - 0.5) < 4 * right.standard_error
    flat = [score(stored[f"few-shot, {k} examples"], RULERS["exact match"]) for k in shots if k > 1]
    assert [round(100 * one.standard_error, 1) for one in flat] == [3.5] * 3
    assert max(one.mean for one in flat) - min(one.mean for one in flat) < 2 * either


def after_few_two():
    assert probability["both together"].mean() > 0.98
    assert abs(probability["right label"].mean() - 0.5) < 0.1


def after_few_sizes_run():
    right, wrong = (by_size.loc[f"few-shot, 7 examples{end}"] for end in ("", ", random labels"))
    assert (abs(right - wrong) < 0.2).tolist() == [True] * 8
    assert max(right) < 0.65


def after_who_run():
    means = who["mean"].tolist()
    assert max(means[:-1]) < 0.1 < who.chance.iloc[0] < means[-1]


def after_who_pocket():
    assert np.mean(named) > 0.95
    assert np.mean(right) > 0.8


def after_cot_chart():
    small = steps_add[(steps_add.billions == 8)].loc["PaLM"]
    assert abs(small.gained) < 1.1 * small["standard error"]
    assert (steps_add.gained > 0).tolist() == (steps_add.billions > 60).tolist()


def after_pair_table():
    def by_both(ability):
        answers = (given[ability][:100] for given in (stored, by_bert))
        return [score(answer, RULERS["exact match"]).mean for answer in answers]

    assert min(by_both("echo of 4 words")) > 0.9
    assert min(by_both("who did what to whom")) > 0.7
    causal, masked = by_both("sums of 2 digits")
    assert causal > 0.9 > 0.1 > masked
