"""What must hold in 01_two_ways_to_read.ipynb; see `tests/support/notebook_checks.py`."""


def after_toy_widget():
    start, page = hidden.number.value, hidden.view.value
    assert hidden.words[start - 1] in hidden.missed, "it starts on a word that BERT misses"
    hidden.number.value = 1
    assert hidden.view.value != page
    hidden.number.value = start


def after_same_compare():
    assert exact["what comes next"][" cat"] < 0.05
    assert exact["what is missing"][" cat"] > 0.5


def after_reveal_explorer():
    causal, masked = explorer.causal_bars.value, explorer.masked_bars.value
    explorer.revealed.value = explorer.revealed.max
    assert explorer.causal_bars.value == causal
    assert explorer.masked_bars.value != masked
    assert fill_mask(bert, explorer.text.value, top_k=1)[0].token == "restaurant"
    explorer.revealed.value = 0


def after_reveal_many_run():
    assert len(reviews) == 100
    assert shares["GPT"] < shares["BERT"] <= shares["the best reader of both sides"] + 3


def after_attention_many_run():
    assert spent[gpt.name] == 0  # exactly: the causal mask sets these weights to zero
    assert spent[bert.name] > 0.05


def after_jobs_run():
    gpt_finds, left_best, bert_finds, both_best = found.values()
    assert gpt_finds < bert_finds <= both_best + 0.05
    assert abs(gpt_finds - left_best) < 0.1


def after_jobs_long_run():
    assert found_long > found["GPT, left side only"]


def after_writes_run():
    assert possible["GPT"] > possible["BERT"]
