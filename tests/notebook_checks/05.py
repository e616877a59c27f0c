"""What must hold in 05_generate_text_with_gpt2.ipynb; see `tests/support/notebook_checks.py`."""


def after_explorer():
    explorer.temperature.value = 0.3
    assert "temperature 0.30" in explorer.status.value
    cold = explorer.bars.value
    explorer.temperature.value = 2.0
    assert explorer.bars.value != cold
    explorer.temperature.value = 0.8


def after_same_check():
    assert mine == text


def after_zero_limit():
    assert generate_text(pocket, start, temperature=0.001, seed=1) == greedy


def after_topk_run():
    assert generate_text(pocket, start, top_k=1, seed=5) == generate_text(
        pocket, start, do_sample=False
    )


def after_greedy_measure():
    assert greedy_share > drawn_share


def after_meter_run():
    safe, chaotic = uncut[1], uncut[-1]
    assert safe[0] > 80 > 20 > chaotic[0], "possible texts"
    assert safe[1] < chaotic[1], "different words"
    assert cut[-1][0] > chaotic[0], "the cut keeps more texts possible"


def after_real_explorer():
    real.top_k.value = 5
    assert "top-k 5" in real.status.value
    real.top_k.value = 50


def after_real_words():
    assert n_words <= n_tokens


def after_challenge_result():
    assert min(shares.values()) > 3 / 60
