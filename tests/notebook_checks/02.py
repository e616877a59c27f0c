"""What must hold in 02_pretraining.ipynb; see `tests/support/notebook_checks.py`."""


def after_game_widget():
    careful = guess(mine)
    for _ in mine:
        careful.bet([1, 1, 1, 1, 1])
    assert abs(careful.scores()["you"] - 5) < 1e-9, "equal points on all five words"
    assert "something else" in [box.description for box in careful.children[1:6]]


def after_game_long_run():
    assert long_scores["the grammar"] < 1.05 * long_scores["pocket-gpt2"]
    assert long_scores["pocket-gpt2"] < 0.7 * long_scores["word counts"]


def after_labels_collator_run():
    assert batch["input_ids"][0, :-1].tolist() == asked_from
    assert batch["labels"][0, 1:].tolist() == answers


def after_labels_mask_many():
    expected = {"not asked": 85, "[MASK]": 12, "random": 1.5, "unchanged": 1.5}
    assert all(abs(shares[fate] - share) < 0.5 for fate, share in expected.items())


def after_labels_mask_library_run():
    wanted = {"[MASK]": 80, "unchanged": 10, "random": 10}
    assert all(abs(library[name] - share) < 1.5 for name, share in wanted.items())


def after_levels_run():
    for found in levels.values():
        assert found["floor"] < found["two words"] < found["one word"] < found["chance"]


def after_live_gaps():
    assert gpt_end.gap.nats <= 0.30
    assert bert_end.gap.nats <= 0.70
    assert bert_end.loss.nats < levels["masked"]["two words"]
    assert abs(bert_end.floor.nats - levels["masked"]["floor"]) < 1e-9


def after_live_why_run():
    assert levels["masked"]["floor"] < next_floor


def after_scrub_view():
    """The slider shows what generate_text and fill_mask say with the kept models."""
    from helpers.fill_mask import fill_mask
    from helpers.generation import generate_text

    assert len(scrubber.moments) == 12
    for position in (6, 12, 1):
        scrubber.number.value = position
        gpt_then, bert_then = (
            list(training.models.values())[position - 1]
            for training in (gpt_training, bert_training)
        )
        written = generate_text(gpt_then, "What is a", 24, temperature=0.8, seed=1)
        assert scrubber.moments[position - 1][0].said == written
        word = fill_mask(bert_then, blank, 1)[0].token
        assert blank.replace("[MASK]", word) in scrubber.status.value
    first, last = scrubber.moments[0], scrubber.moments[-1]
    for before, after in zip(first, last, strict=True):
        assert sum(bar.probability for bar in after.bars) > 0.5
        assert sum(bar.probability for bar in before.bars) < 0.1


def after_surprise_view():
    from helpers.explorers.surprise import token_surprises

    above = []
    for lm in moments.values():
        found = token_surprises(lm, story, causal["genres"])
        above.append(sum(token.nats - token.unavoidable for token in found))
    assert above == sorted(above, reverse=True)
    unavoidable = sum(token.unavoidable for token in found)
    assert abs(unavoidable + pocketweb.log_prob(story, causal["genres"])) < 1e-6


def after_first_genres():
    by_genre = gaps_at(640, lambda document, position: document.genre)
    independent = gap_to_floor(gpt, exam)
    assert all(abs(by_genre[name] - independent[name].gap.nats) < 1e-9 for name in by_genre)


def after_first_kinds_draw():
    end, at_first = gaps_at(640, kind), gaps_at(8, kind)
    assert end["function words"] < end["agreement"] < end["facts"] < end["results"]
    assert gaps_at(64, kind)["results"] < at_first["results"] - 2
    assert abs(end["results"] - math.log(10)) < 0.6


def after_rate_run():
    from helpers.lab import tables

    at_first = tables.read("mask_rates").query("steps == 250 and seed == 0")
    for rate, gap in zip((0.15, 0.40), pair.values(), strict=True):
        assert abs(at_first[at_first.mask_rate == rate].gap.item() - gap) < 0.15


def after_rate_table():
    assert (paired["pairs"] >= 3).all()
    assert paired["difference"].is_monotonic_decreasing
    assert paired["difference"][250] > 0.3 > 0.1 > paired["difference"][1000]
    assert paired["difference"][1000] > 2 * paired["standard error"][1000]


def after_overfit_draw():
    assert read[-1] < own_floor
    assert min(unread) < unread[-1] - 0.1


def after_per_text_run():
    per_token, per_text = per_vocabulary["nats per token"], per_vocabulary["nats per text"]
    assert per_token["500 pieces"] < per_token["whole words"] - 0.05
    assert per_text["500 pieces"] > per_text["whole words"] + 0.5
    assert per_text.min() > per_vocabulary["floor, nats per text"].min()
