"""What must hold in 02_pretraining.ipynb; see `tests/support/notebook_checks.py`."""


def after_game_widget():
    careful = guess(mine)
    for _ in mine:
        careful.bet([1, 1, 1, 1, 1])
    assert abs(careful.scores()["you"] - 5) < 1e-9, "equal points on all five words"
    assert "something else" in [box.description for box in careful.children[1:6]]


def after_game_long_run():
    assert scores["the grammar"] < 1.05 * scores["pocket-gpt2"] < 0.7 * scores["word counts"]


def after_labels_collator_run():
    assert batch["input_ids"][0, :-1].tolist() == asked_from
    assert batch["labels"][0, 1:].tolist() == answers


def after_labels_mask_many():
    expected = {"not asked": 85, "[MASK]": 12, "random": 1.5, "unchanged": 1.5}
    assert all(abs(shares[fate] - share) < 0.5 for fate, share in expected.items())


def after_labels_mask_library_run():
    assert all(abs(one - wanted) < 1.5 for one, wanted in zip(library, (80, 10, 10), strict=True))


def after_levels_run():
    for found in levels.values():
        assert found["floor"] < found["two words"] < found["one word"] < found["chance"]


def after_live_gaps():
    last = bert_gaps[masked["steps"]]
    assert gpt_gaps[causal["steps"]].gap.nats <= 0.30
    assert last.gap.nats <= 0.70
    assert last.loss.nats < levels["masked"]["two words"]


def after_live_why_run():
    assert levels["masked"]["floor"] < both


def after_sliders_explorer():
    explorer.temperature.value = 0.3
    assert "temperature 0.30" in explorer.status.value
    explorer.temperature.value = 1.0


def after_first_kinds_draw():
    end = by_kind[causal["steps"]]
    assert end["function words"] < end["facts"]
    assert end["function words"] < end["results"]


def after_visible_run():
    assert tried["80/10/10"][0] > tried["always [MASK]"][0] + 0.1
    assert tried["80/10/10"][1] < tried["80/10/10"][0] - 0.1


def after_overfit_loop():
    assert read[-1] < floor < min(unread) < unread[-1] - 0.1
