"""What must hold in 01_two_ways_to_read.ipynb; see `tests/support/notebook_checks.py`."""


def after_toy_widget():
    view = HiddenWordExplorer(bert, story)
    start, page = view.number.value, view.view.value
    assert view.words[start - 1] in view.missed, "it starts on a word that BERT misses"
    assert 0 < len(view.missed) < len(view.words) / 4
    assert all(word in page for word in view.missed), "the misses are listed"
    view.number.value = 1
    assert view.view.value != page


def after_world_texts():
    """The page shows the template as it is in the grammar, but for its signs."""
    from helpers._plumbing.files import DATA

    grammar = (DATA / "pocketweb.grammar").read_text(encoding="utf-8")
    assert "The {A=pet} sat on the {A.seat}." in grammar
    assert "4x cat / mat / meow | 2x dog / log / woof" in grammar
    assert "1x rat / mat / squeak | 2x frog / log / croak" in grammar
    assert chances.idxmax() == " mat"
    assert 70 < chances.max() < 72


def after_same_exact():
    assert exact_next < 0.05 < 0.5 < exact_blank
    assert abs(by_gpt - exact_next) < 0.02
    assert abs(by_bert - exact_blank) < 0.05


def after_reveal_explorer():
    explorer = ReadingExplorer(gpt, bert)
    causal, masked = explorer.causal_bars.value, explorer.masked_bars.value
    explorer.revealed.value = explorer.revealed.max
    assert explorer.causal_bars.value == causal
    assert explorer.masked_bars.value != masked
    assert fill_mask(bert, explorer.text.value, top_k=1)[0].token == "restaurant"


def after_reveal_check():
    assert gpt.tokenizer.decode(ids[0, :7]).endswith("We went to a")
    (shown,) = [c for c in next_token_probabilities(gpt, left) if c.token == " restaurant"]
    assert abs(shown.probability - hidden) < 1e-5


def after_reveal_chart():
    jumps = [n for n in shown[1:] if abs(lines["truth"][n] - lines["truth"][n - 1]) > 1]
    assert [words[n - 1] for n in jumps] == ["music", "soup"]
    assert all(abs(lines["BERT"][n] - lines["BERT"][n - 1]) > 10 for n in jumps)
    assert max(abs(a - b) for a, b in zip(lines["BERT"], lines["truth"], strict=True)) < 10


def after_attention_draw():
    assert right_of[gpt.name] == 0  # exactly: the causal mask sets these weights to zero
    assert right_of[bert.name] > 0.05


def after_masks_widget():
    """What the text below says of the 100 texts, and of the sentence."""
    own, none = (switch.above[gpt.name, mask].nats for mask in switch.mask.options)
    assert own < 0.1 < 3 < none
    swapped, own = (switch.above[bert.name, mask].nats for mask in switch.mask.options)
    assert own < 0 < swapped < 0.15


def after_masks_genres():
    assert list(by_genre.index[by_genre[gpt.name, "no mask"] < 0]) == ["examples"]
    assert by_genre[gpt.name, "no mask"].drop("examples").min() > 1
    assert (by_genre[bert.name, "no mask"] < 0).all()
    assert by_genre[bert.name, "causal mask"].drop("sums").max() < 0.13


def after_pages_widget():
    assert "A possible text." in filler.status.value
    filler.per_round.value = 8
    assert "Not a possible text." in filler.status.value
    assert "drum" in filler.view.value
    assert "lamp" in filler.view.value
    filler.per_round.value = 1


def after_pages_check():
    assert len(finished) == 100
    assert 40 < possible < 80


def after_pages_chart():
    at = {name: dict(zip(*line, strict=True)) for name, line in lines.items()}
    one_a_round = [name for name in at if "one a round" in name]
    assert len(one_a_round) == 3
    assert all(80 <= at[name][50] <= 84 for name in one_a_round)
    assert all(
        at[name][hidden] > at["all at once"][hidden]
        for name in one_a_round
        for hidden in (50, 70, 90)
    )
    assert at["surest first, one a round"][70] > at["left to right, one a round"][70]
    assert max(at[name][100] for name in at) < 13
    assert not grid.query("hidden_percent == 100 and per_round >= 4").possible.any()


def after_writes_bigger_draw():
    ends = {name: percent.iloc[-1] for name, (_, percent) in lines.items()}
    assert max(lines["masked, echo"][1]) < 4 < ends["causal, echo"]
    assert abs(ends["masked, label"] - ends["causal, label"]) < 1


def after_jobs_run():
    assert found["GPT, left side"] < found["GPT, the long way"]
    assert abs(found["GPT, left side"] - found["truth, left side"]) <= 5
    assert abs(found["GPT, the long way"] - found["BERT, both sides"]) <= 5


def after_twins_run():
    """The figures of the cards: tokens in all, and questions as counted over whole trainings."""
    assert abs(trained["pocket-gpt2"]["tokens read"] - 38.28) < 0.3
    assert abs(trained["pocket-bert"]["tokens read"] - 246.04) < 1
    assert abs(trained["pocket-gpt2"]["questions"] - 36.9) < 0.3
    assert abs(trained["pocket-bert"]["questions"] - 40.7) < 0.5
