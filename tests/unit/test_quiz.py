"""Questions, predictions and exercises answer as a teacher would, with or without a front end."""

import math
import re

import ipywidgets as widgets
import pytest

import helpers.charts
from helpers.quiz import Round, compare, equal_words, exercise, guess, predict, quiz

CHOICES = {
    "greedy": "The likeliest token always wins.",
    "random": "That is a high <temperature>.",
    "nothing": "It still writes.",
}


@pytest.fixture(autouse=True)
def no_guesses(monkeypatch):
    monkeypatch.setattr("helpers.quiz._guesses", {})


def options(card):
    return next(
        child
        for child in card.children
        if isinstance(child, (widgets.RadioButtons, widgets.FloatText))
    )


# ---- quiz


def test_every_choice_shows_its_reason_and_only_the_answer_is_right():
    card = quiz("What is the limit at 0?", CHOICES, "greedy")
    assert options(card).value is None
    assert card.feedback.value == ""
    for choice, reason in CHOICES.items():
        card.choose(choice)
        assert reason.replace("<", "&lt;").replace(">", "&gt;") in card.feedback.value
        assert ("Right." in card.feedback.value) == (choice == "greedy")
        assert ("Not this one." in card.feedback.value) == (choice != "greedy")
        assert 'role="status"' in card.feedback.value


def test_a_click_does_what_choose_does():
    card = quiz("?", CHOICES, "greedy")
    options(card).index = 2
    assert "It still writes." in card.feedback.value


def test_the_page_without_a_kernel_holds_question_choices_and_folded_reasons(monkeypatch):
    shown = []
    monkeypatch.setattr(helpers.charts, "display", lambda data, raw: shown.append(data))
    quiz("Is <b> bold?", CHOICES, "greedy")._ipython_display_()
    page = shown[0]["text/html"]
    assert "Is &lt;b&gt; bold?" in page
    assert re.findall(r"<li>(\w+)<details><summary>", page) == list(CHOICES)
    assert page.count("Right.") == 1
    assert page.count("Not this one.") == 2
    assert shown[0]["text/plain"] == "<figure: Is <b> bold?>"


@pytest.mark.parametrize(
    ("choices", "answer", "sentence"),
    [
        (CHOICES, "beam", "'beam' is not among the choices: 'greedy', 'random', 'nothing'"),
        ({"a": "yes", "b": ""}, "a", "'b' has none"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(choices, answer, sentence):
    with pytest.raises(ValueError, match=sentence):
        quiz("?", choices, answer)


# ---- predictions


def test_a_guess_is_kept_and_shown_beside_the_measurement():
    card = predict("loops", "How many samples will loop?", unit="%")
    assert "No guess yet" in card.children[-1].value
    options(card).value = 30.0
    assert "30 % is kept" in card.children[-1].value
    assert (
        compare("loops", 12.5, "%").text
        == "You guessed 30 %. Measured: 12.5 %, which is 17.5 less."
    )
    assert compare("loops", 30, "%").text == "You guessed 30 %. Measured: 30 %, as you said."


def test_running_the_cell_again_keeps_the_guess():
    predict("a", "?").guess(7)
    again = predict("a", "?")
    assert options(again).value == 7
    assert "7 is kept" in again.children[-1].value
    assert predict("b", "?").children[-1].value != again.children[-1].value


def test_a_guess_among_choices():
    predict("colour", "Which?", ["red", "blue"]).guess("red")
    assert compare("colour", "red").text == "You guessed red. Measured: red, as you said."
    assert compare("colour", "blue").text == "You guessed red. Measured: blue."
    assert options(predict("colour", "Which?", ["red", "blue"])).value == "red"


def test_without_a_guess_the_measurement_stands_alone():
    assert compare("never", 3).text == "You made no guess. Measured: 3."


def test_measured_text_is_escaped():
    assert "&lt;img" in compare("never", "<img>").html


# ---- exercises


def perplexity(nats):
    return 2.718281828459045**nats


CHECK = exercise(
    perplexity,
    [(0.0,), (1.0,), (2.0,)],
    {
        "That is base 2: these are nats, not bits.": lambda nats: 2**nats,
        "The sign is wrong.": lambda nats: perplexity(-nats),
    },
    hint="Undo the logarithm.",
)


def test_the_solution_passes_within_rounding():
    assert CHECK(lambda nats: perplexity(nats) * (1 + 1e-9)).text == "Solved. Right in all 3 cases."


def test_known_mistakes_are_diagnosed():
    assert (
        CHECK(lambda nats: 2.0**nats).text == "Not yet. That is base 2: these are nats, not bits."
    )
    assert CHECK(lambda nats: 1 / perplexity(nats)).text == "Not yet. The sign is wrong."


def test_another_mistake_shows_the_first_case_that_differs():
    text = CHECK(lambda nats: 1.0).text
    assert text.startswith("Not yet. For (1.0) it gives 1.0, not 2.718")
    assert text.endswith("Undo the logarithm.")


def test_an_exercise_that_is_not_begun_fails_nothing():
    assert (
        CHECK(lambda nats: None).text
        == "Your turn. The function returns nothing yet. Undo the logarithm."
    )
    assert CHECK(lambda nats: ...).text.startswith("Your turn.")


def test_an_error_of_the_reader_is_the_readers_to_see():
    with pytest.raises(ZeroDivisionError):
        CHECK(lambda nats: 1 / 0)


def test_a_mistake_that_no_case_shows_is_refused():
    with pytest.raises(ValueError, match="No case tells"):
        exercise(abs, [(1,), (2,)], {"no sign": lambda x: x})


@pytest.mark.parametrize(
    ("right", "answer", "solved"),
    [
        ([1, (2.0, "a")], [1.0, (2, "a")], True),
        ({"a": 0.1 + 0.2}, {"a": 0.3}, True),
        (["a"], "a", False),
        (True, 1, False),
        ([1, 2], [1], False),
        ({"a": 1}, {"b": 1}, False),
        ("a", "b", False),
        (1.0, 1.001, False),
    ],
)
def test_values_are_compared_within_rounding_and_by_kind(right, answer, solved):
    assert exercise(lambda: right, [()])(lambda: answer).text.startswith(
        "Solved" if solved else "Not yet"
    )


# ---- the guessing game

OPTIONS = (" time", " kite", "another word")
ROUNDS = [
    Round("Once upon a", OPTIONS, " time", {"truth": (1.0, 0.0, 0.0), "x": (0.5, 0.3, 0.2)}),
    Round("The <b>", OPTIONS, "another word", {"truth": (0.5, 0.25, 0.25), "x": (0.5, 0.5, 0.0)}),
]


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ([1.0], 1.0),
        ([0.25], 4.0),
        ([0.5, 0.125], 4.0),
        ([0.2] * 7, 5.0),
        ([0.5, 0.0], math.inf),
        ([1.0, 0.125, 0.125], 4.0),
    ],
)
def test_the_score_is_a_number_of_equal_words(shares, expected):
    assert equal_words(shares) == pytest.approx(expected, rel=1e-12)
    nats = -sum(math.log(share) if share else -math.inf for share in shares) / len(shares)
    assert equal_words(shares) == pytest.approx(math.exp(nats))  # the perplexity of the notebook


def boxes(game):
    return [child for child in game.children if isinstance(child, widgets.BoundedIntText)]


def press(game):
    next(child for child in game.children if isinstance(child, widgets.Button)).click()


def test_a_game_by_hand():
    game = guess(ROUNDS)
    assert game.scores() == {}
    assert [box.description for box in boxes(game)] == ["time", "kite", "another word"]
    boxes(game)[0].value = 8
    press(game)
    assert "It was: time." in game.feedback.value
    assert "You had 80 % on it" in game.feedback.value
    assert game.scores() == pytest.approx({"you": 1.25, "truth": 1.0, "x": 2.0})
    assert all(box.disabled for box in boxes(game))
    press(game)
    assert not game.feedback.value
    assert "Text 2 of 2" in game.children[0].value
    assert "&lt;b&gt;" in game.children[0].value
    assert [box.value for box in boxes(game)] == [1, 1, 1]
    press(game)
    assert game.scores() == pytest.approx({"you": math.sqrt(1.25 * 3), "truth": 2.0, "x": math.inf})
    assert "inf" in game.feedback.value
    press(game)
    assert "Text 1 of 2" in game.children[0].value
    assert game.scores() == {}


def test_bets_are_what_a_reader_types():
    game = guess(ROUNDS)
    game.bet([2, 1, 1])
    game.bet([50, 25, 25])
    assert game.scores()["you"] == pytest.approx(math.sqrt(2 * 4))
    game.bet([1, 1, 1])  # a new game
    assert game.scores()["you"] == pytest.approx(3)


def test_every_option_keeps_a_point():
    game = guess(ROUNDS)
    game.bet([0, 98, 1])
    assert game.scores()["you"] == pytest.approx(100)


def test_a_game_that_cannot_be_played_is_refused():
    with pytest.raises(ValueError, match="at least one Round"):
        guess([])
    with pytest.raises(ValueError, match="The answer ' moon' is not among: ' time', ' kite'"):
        guess([ROUNDS[0]._replace(options=OPTIONS[:2], answer=" moon")])


def test_without_a_kernel_the_game_says_so(monkeypatch):
    shown = []
    monkeypatch.setattr(helpers.charts, "display", lambda data, raw: shown.append(data))
    guess(ROUNDS)._ipython_display_()
    assert "running notebook" in shown[0]["text/html"]
