"""Questions, predictions and exercises answer as a teacher would, with or without a front end."""

import html
import math
import re

import ipywidgets as widgets
import pytest

import helpers.charts
from helpers._plumbing import cards
from helpers._plumbing.lessons import judge, lesson, number_in, same
from helpers.quiz import Round, compare, equal_words, exercise, guess, predict, quiz

NUMBER, CHOICES = "07-1", "02-3"  # a guess in %, and one among choices
POWER = lesson("exercise", "04-1")


@pytest.fixture(autouse=True)
def no_guesses():
    for kept in (cards._guesses, cards._watching):
        kept.clear()


@pytest.fixture
def stored(monkeypatch):
    """What a card leaves in a notebook."""
    shown = []
    monkeypatch.setattr(helpers.charts, "display", lambda data, raw: shown.append(data))

    def store(card):
        card._ipython_display_()
        return shown[-1]

    return store


def inside(card, kind):
    """The widgets of a kind, as they are shown."""
    found = []
    for child in card.children:
        found += (
            [child]
            if isinstance(child, kind)
            else inside(child, kind)
            if hasattr(child, "children")
            else []
        )
    return found


def press(card, label):
    next(one for one in inside(card, widgets.Button) if one.description == label).click()


def shown_by(card):
    return "\n".join(one.value for one in inside(card, widgets.HTML))


# ---- quiz


def test_every_choice_shows_its_reason_and_only_the_answer_is_right():
    asked, card = lesson("quiz", "05-1"), quiz("05-1")
    assert inside(card, widgets.RadioButtons)[0].value is None
    assert card.feedback.value == ""
    for choice, reason in asked["choices"].items():
        card.choose(choice)
        assert html.escape(reason) in card.feedback.value
        assert ("Right." in card.feedback.value) == (choice == "No temperature")
        assert ("Not this one." in card.feedback.value) == (choice != "No temperature")
        assert 'role="status"' in card.feedback.value


def test_a_click_does_what_choose_does():
    card = quiz("05-1")
    inside(card, widgets.RadioButtons)[0].index = 2
    assert "Right." in card.feedback.value


def test_the_page_without_a_kernel_has_the_question_and_the_choices_alone(stored):
    card, asked = quiz("01-2"), lesson("quiz", "01-2")
    card.choose(asked["answer"])  # what a reader has done is not stored either
    data = stored(card)
    page = data["text/html"]
    assert html.escape(asked["question"]) in page
    items = [html.unescape(item) for item in re.findall(r"<li>([^<]+)</li>", page)]
    assert items == list(asked["choices"])
    assert "Run the notebook to answer." in page
    assert not [reason for reason in asked["choices"].values() if html.escape(reason) in page]
    assert "Right" not in page
    assert data["text/plain"] == f"<figure: {asked['question']}>"


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda: quiz("05-9"), "There is no quiz '05-9'. There are: 01-1, "),
        (lambda: predict("99-1"), "There is no guess '99-1'. There are: 01-1, "),
        (lambda: compare("draws", 1), "There is no guess 'draws'"),
        (lambda: exercise("01-2", print), "There is no exercise '01-2'"),
    ],
)
def test_what_is_not_there_is_refused(ask, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        ask()


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda: quiz(5), "The name of a quiz is a text such as '05-1', not 5."),
        (lambda: quiz(["05-1"]), "The name of a quiz is a text"),
        (lambda: compare(NUMBER, "a lot"), "must be a number, not 'a lot'"),
        (lambda: compare(NUMBER, None), "must be a number, not None"),
        (lambda: exercise("04-1", 0.5), "needs your function, not 0.5"),
    ],
)
def test_what_is_of_another_kind_is_refused(ask, sentence):
    with pytest.raises(TypeError, match=re.escape(sentence)):
        ask()


def test_a_measurement_that_fits_no_choice_is_refused():
    with pytest.raises(ValueError, match="No choice fits what was measured: nan"):
        compare("02-3", math.nan)


# ---- predictions


def test_a_guess_is_kept_and_shown_beside_the_measurement():
    card = predict(NUMBER)
    assert "No guess yet" in card.feedback.value
    (box,) = inside(card, widgets.Text)
    assert (box.value, box.placeholder, box.continuous_update) == ("", "a number", False)
    box.value = "30"
    assert "30 % is kept" in card.feedback.value
    less = "You guessed 30 %. Measured: 12.5 %, which is 17.5 less."
    assert compare(NUMBER, 12.5).text == less
    assert compare(NUMBER, 30).text == "You guessed 30 %. Measured: 30 %, as you said."


def test_the_unit_is_a_word_after_the_box():
    row = inside(predict(NUMBER), widgets.HBox)[0]
    assert [type(one) for one in row.children] == [widgets.Text, widgets.HTML]
    assert "%" in row.children[1].value
    assert row.children[0].description == "your guess"


@pytest.mark.parametrize("typed", ["0", "62,5", "62.5 %", "62.5%", " 7 ", "-3", ".5", "1000"])
def test_what_a_reader_types_is_understood(typed):
    card = predict(NUMBER)
    inside(card, widgets.Text)[0].value = typed
    assert "is kept" in card.feedback.value
    text = f"You guessed {cards.in_words(number_in(typed, '%'), '%')}. Measured: 10 %"
    assert compare(NUMBER, 10).text.startswith(text)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("many", "“many” is not a number. Please write one, such as 40 or 62.5."),
        ("nan", "is not a number"),
        ("1e400", "is not a number"),
        ("60 of 100 %", "is not a number"),
        ("<b>", "“&lt;b&gt;” is not a number"),
        ("1,000", "“1,000” can be read in two ways. Please write it without the comma."),
    ],
)
def test_what_is_no_number_gets_a_sentence_and_no_guess(typed, sentence):
    card = predict(NUMBER)
    inside(card, widgets.Text)[0].value = typed
    assert sentence in card.feedback.value
    assert 'role="status"' in card.feedback.value
    assert compare(NUMBER, 10).text == ""


def test_running_the_cell_again_keeps_the_guess():
    predict(NUMBER).guess(7)
    again = predict(NUMBER)
    assert inside(again, widgets.Text)[0].value == "7"
    assert "7 % is kept" in again.feedback.value
    predict(NUMBER).guess(0)
    assert inside(predict(NUMBER), widgets.Text)[0].value == "0"
    assert "No guess yet" in predict("05-2").feedback.value


def test_an_empty_box_takes_no_guess_away():
    card = predict(NUMBER)
    card.guess(7)
    inside(card, widgets.Text)[0].value = ""
    assert "7 % is kept" in card.feedback.value


def test_a_guess_among_choices():
    predict(CHOICES).guess("15 %")
    assert compare(CHOICES, -3).text == "You guessed “15 %”. Measured: “15 %”, as you said."
    assert compare(CHOICES, 0).text == "You guessed “15 %”. Measured: “no clear difference”."
    assert inside(predict(CHOICES), widgets.RadioButtons)[0].value == "15 %"


def test_a_prediction_stores_its_question_alone(stored):
    card = predict(CHOICES)
    card.guess("40 %")
    page = stored(card)["text/html"]
    assert re.findall(r"<li>([^<]+)</li>", page) == list(lesson("guess", CHOICES)["choices"])
    assert "Run the notebook to answer." in page
    assert "kept" not in page


# ---- comparisons


def test_without_a_guess_a_button_shows_what_was_measured():
    card = compare(NUMBER, 86)
    assert card.text == ""
    assert "You have not guessed yet." in shown_by(card)
    assert "86" not in shown_by(card)
    press(card, "Show what was measured")
    assert card.text == "You made no guess. Measured: 86 %."
    assert "86 %" in shown_by(card)
    assert inside(card, widgets.Button)[0].layout.display == "none"


@pytest.mark.parametrize("looked", [False, True])
def test_a_guess_that_comes_later_is_compared_at_once(looked):
    """Run All, then read."""
    above, card = predict(NUMBER), compare(NUMBER, 86)
    if looked:
        card.show()
    inside(above, widgets.Text)[0].value = "40"
    assert card.text == "You guessed 40 %. Measured: 86 %, which is 46 more."
    assert "46 more" in shown_by(card)
    assert inside(card, widgets.Button)[0].layout.display == "none"
    above.guess(90)
    assert "You guessed 90 %" in card.text


def test_a_later_choice_is_compared_at_once():
    above, card, other = predict(CHOICES), compare(CHOICES, 3), compare(NUMBER, 3)
    inside(above, widgets.RadioButtons)[0].value = "40 %"
    assert card.text == "You guessed “40 %”. Measured: “40 %”, as you said."
    assert other.text == ""


def test_a_comparison_stores_no_result(stored):
    predict(NUMBER).guess(40)
    card = compare(NUMBER, 86)
    assert "86" in card.text
    data = stored(card)
    assert "appear here when the notebook runs" in data["text/html"]
    assert not re.search(r"\d", data["text/html"] + data["text/plain"])


def test_what_is_not_measured_is_not_called_measured():
    card = compare("03-1", 1 - 10**-0.076)
    card.show()
    said = "By the published law of Kaplan and others: “by about a sixth”."
    assert card.text == f"You made no guess. {said}"


# ---- exercises


def test_the_solution_passes_within_rounding():
    card = exercise("04-1", lambda share, n: share ** (1 / n) * (1 + 1e-9))
    assert card.verdict == "Solved. Right in all 4 cases."
    assert card.verdict in re.sub("<[^>]+>", "", shown_by(card))


def test_known_mistakes_are_diagnosed():
    told = exercise("04-1", lambda share, n: share**n).verdict
    assert told == "Not yet. That is the way from p to the share. You want the way back."
    assert exercise("04-1", lambda share, n: share / n).verdict.startswith("Not yet. Probabilities")


def test_another_mistake_shows_the_first_case_that_differs():
    told = exercise("04-1", lambda share, n: 0.5).verdict
    assert told.startswith("Not yet. For (0.5, 3) it gives 0.5, not 0.793")


def test_an_exercise_that_is_not_begun_fails_nothing():
    for nothing in (None, ...):
        card = exercise("04-1", lambda share, n, nothing=nothing: nothing)
        assert card.verdict == "Your turn. The function returns nothing yet."


def test_an_error_of_the_reader_is_a_verdict():
    told = exercise("04-1", lambda share, n: share / 0).verdict
    assert told.startswith("Not yet. For (0.5, 1) it stops with an error. ZeroDivisionError: ")
    told = exercise("04-1", lambda share: share).verdict
    assert "TypeError" in told
    card = exercise("04-1", lambda share, n: [][share])
    assert "indices must be integers" in shown_by(card)


def test_hint_and_solution_are_shown_when_they_are_asked_for():
    card = exercise("04-1", lambda share, n: None)
    assert POWER["hint"] not in html.unescape(shown_by(card))
    press(card, "Hint")
    assert POWER["hint"] in html.unescape(shown_by(card))
    assert "<pre" not in shown_by(card)
    press(card, "Solution")
    assert "share ** (1 / n_tokens)</pre>" in shown_by(card)
    card.hint()
    assert POWER["hint"] in html.unescape(card.shown.value)
    card.solution()
    assert "<pre" in card.shown.value


def test_an_exercise_stores_one_line(stored):
    card = exercise("04-1", lambda share, n: share**n)
    card.solution()
    page = re.sub("<[^>]+>", "", stored(card)["text/html"])
    assert page == "Run this cell to check your function."


def test_the_cases_stay_what_they_are_when_a_function_changes_them():
    def pops(words):
        earlier = [place for place, word in enumerate(words[:-1]) if word == words[-1]]
        found = words[earlier[-1] + 1] if earlier else None
        words.clear()
        return found

    assert exercise("04-2", pops).verdict.startswith("Solved.")
    told = exercise("04-2", lambda words: words.clear() or "kite").verdict
    assert "For (['a', 'b', 'c', 'a', 'd', 'a']) it gives 'kite', not 'd'." in told


def test_a_mistake_that_no_case_shows_is_refused():
    asked = {
        "solution": "def solution(x): return abs(x)",
        "cases": "[(1,), (2,)]",
        "mistakes": {"no sign": "def mistake(x): return x"},
    }
    with pytest.raises(ValueError, match="No case tells"):
        judge(asked, abs)


@pytest.mark.parametrize(
    ("right", "answer", "equal"),
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
def test_values_are_compared_within_rounding_and_by_kind(right, answer, equal):
    assert same(right, answer) is equal


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


def test_a_game_by_hand():
    game = guess(ROUNDS)
    assert game.scores() == {}
    assert [box.description for box in boxes(game)] == ["time", "kite", "another word"]
    boxes(game)[0].value = 8
    press(game, "Bet")
    assert "It was: time." in game.feedback.value
    assert "You had 80 % on it" in game.feedback.value
    assert game.scores() == pytest.approx({"you": 1.25, "truth": 1.0, "x": 2.0})
    assert all(box.disabled for box in boxes(game))
    press(game, "Next text")
    assert not game.feedback.value
    assert "Text 2 of 2" in game.children[0].value
    assert "&lt;b&gt;" in game.children[0].value
    assert [box.value for box in boxes(game)] == [1, 1, 1]
    press(game, "Bet")
    assert game.scores() == pytest.approx({"you": math.sqrt(1.25 * 3), "truth": 2.0, "x": math.inf})
    assert "inf" in game.feedback.value
    press(game, "Play again")
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


def test_without_a_kernel_the_game_says_what_it_is(stored):
    page = stored(guess(ROUNDS))["text/html"]
    assert "bet on the next word" in page
    assert "Run the notebook to play." in page
