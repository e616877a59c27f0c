"""What must hold in 04_emergent_abilities.ipynb; see `tests/support/notebook_checks.py`."""


def after_echo_check():
    assert shares["two layers"].iloc[-1] > 0.85
    assert shares["one layer"].iloc[-1] < 0.45
    assert moment(two, 0.8) - moment(two, 0.2) < steps / 5


def after_echo_loss():
    def fall(first, last):
        return two[first]["loss"] - two[last]["loss"]

    assert fall(half - 50, half + 50) > 2 * fall(half - 150, half - 50)


def after_head_run():
    assert after.induction[1] > 3 * after.induction_chance > after.induction[0]
    assert before.induction[1] < 2 * before.induction_chance


def after_rate_run():
    assert smoothed(hot)[-1] < 0.5


def after_sweep_widget():
    exact = rulers.view.value
    rulers.ruler.value = "token probability"
    assert rulers.view.value != exact
    assert "token probability: sums of 1 digit" in rulers.status.value
    rulers.ruler.value = "exact match"


def after_sweep_numbers():
    match, probability = (
        by_adders["sums of 3 digits", ruler].tolist()
        for ruler in ("exact match", "token probability")
    )
    assert max(match[:5]) < 0.05
    assert probability[4] > 1.4 * probability[0]


def after_sweep_seeds_run():
    over_half = (by_seed > 0.5).sum(axis=1)
    assert sorted(over_half) == [0, *[1] * 7, 2]


def after_sweep_general_run():
    assert max(by_general["sums of 2 digits", "exact match"]) < 0.1


def after_law_predict():
    for ability in ("sums of 2 digits", "sums of 3 digits"):
        p, share = (by_adders[ability, ruler] for ruler in ("token probability", "exact match"))
        assert (abs(predicted(ability, p) - share) < 0.4).tolist() == [True] * 8


def after_stays_run():
    for ability in ("sums of 1 digit", "sums of 2 digits", "echo of 4 words"):
        assert min(sharpest(ability, ruler) for ruler in RULERS) > 2 / 7, ability
        assert sharpest(ability, "exact match") > 0.6, ability


def after_moments_run():
    match, token = (
        lines[f"width 64, {ruler}"][1].tolist() for ruler in ("exact match", "token probability")
    )
    assert match[-2] < 0.1 < 0.8 < match[-1]
    assert token[-2] > 3 * token[2]


def after_few_control():
    seven = "few-shot, 7 examples"
    right, wrong = (
        score(stored[name], RULERS["exact match"]) for name in (seven, f"{seven}, wrong labels")
    )
    either = (right.standard_error**2 + wrong.standard_error**2) ** 0.5
    assert abs(right.mean - wrong.mean) < 4 * either
    assert abs(right.mean - 0.5) < 4 * right.standard_error


def after_few_sizes_run():
    right, wrong = (by_size.loc[f"few-shot, 7 examples{end}"] for end in ("", ", wrong labels"))
    assert (abs(right - wrong) < 0.2).tolist() == [True] * 8
    assert max(right) < 0.65


def after_pair_table():
    def by_both(ability):
        answers = (given[ability][:100] for given in (stored, by_bert))
        return [score(answer, RULERS["exact match"]).mean for answer in answers]

    assert min(by_both("echo of 4 words")) > 0.9
    assert min(by_both("who did what to whom")) > 0.7
    causal, masked = by_both("sums of 2 digits")
    assert causal > 0.9 > 0.1 > masked
