"""Four things that a teacher would ask for: a question, a prediction, an exercise, a game.

`quiz` asks, and gives a reason for every answer, right or wrong. `predict` keeps the reader's
guess, and `compare` shows it again beside what was measured. `exercise` compares the reader's
function with a solution and, where they differ, looks for the known mistake that gives the same
wrong values. `guess` lets the reader bet on the next word, and scores the bets beside those of
models. Nothing is graded, kept or sent anywhere.
"""

import html
import math
from typing import NamedTuple

import ipywidgets as widgets

from helpers.charts import LiveView, Picture

_GOOD, _OTHER, _NEUTRAL = "#009E73", "#D55E00", "#0072B2"
_LONG_CHOICES = """<style>
.lmm-choices.lmm-choices label { display: flex; flex-direction: row-reverse;
  justify-content: flex-end; gap: 6px; height: auto; padding-left: 5px; line-height: 20px;
  white-space: normal }
.lmm-choices input { flex: none }
</style>"""
_guesses = {}


class _Card(LiveView):
    """A question above its widgets."""

    def __init__(self, question, choices, *below):
        asked = f"<strong>{html.escape(question)}</strong>"
        text = f'{_LONG_CHOICES}<div style="max-width:720px;line-height:1.5">{asked}</div>'
        still = Picture(f"<p>{asked}</p>{choices}", question)
        super().__init__(still, [widgets.HTML(text), *below])


def _verdict(verdict, text, colour):
    style = "max-width:720px;margin:4px 0;padding:4px 12px;line-height:1.5;overflow-wrap:anywhere"
    words = f"<strong>{html.escape(verdict)}</strong> {html.escape(text)}"
    live = f'role="status" aria-live="polite" style="{style};border-left:4px solid {colour}"'
    note = f"<p {live}>{words}</p>"
    return Picture(note, f"{verdict} {text}".strip())


def _radio(choices):
    radio = widgets.RadioButtons(options=list(choices), index=None, layout={"width": "auto"})
    return radio.add_class("lmm-choices")


def quiz(question, choices, answer):
    """A multiple-choice question, which shows the reason of each choice that the reader takes.

    Args:
        choices: {choice: reason}, with a reason for the wrong ones too.
        answer: the right choice.

    Returns:
        A widget. `choose(choice)` does what a click does; `feedback` is the `widgets.HTML` with the
        reason.

    Raises:
        ValueError: the answer is not among the choices, or a choice has no reason.

    Example:
        >>> reasons = {"2": "One more than one.", "11": "That is gluing, not adding."}
        >>> q = quiz("1 + 1?", reasons, answer="2")
        >>> q.choose("11")
        >>> "gluing" in q.feedback.value
        True
    """
    if answer not in choices:
        known = ", ".join(map(repr, choices))
        raise ValueError(f"The answer {answer!r} is not among the choices: {known}.")
    if silent := ", ".join(repr(choice) for choice, reason in choices.items() if not reason):
        raise ValueError(f"Every choice needs a reason, and {silent} has none.")
    verdicts = {}
    for choice, reason in choices.items():
        judged = (
            ("Right.", reason, _GOOD) if choice == answer else ("Not this one.", reason, _OTHER)
        )
        verdicts[choice] = _verdict(*judged).html
    options, feedback = _radio(choices), widgets.HTML()
    options.observe(lambda change: setattr(feedback, "value", verdicts[change["new"]]), "value")
    items = "".join(
        f"<li>{html.escape(choice)}<details><summary>Why?</summary>{why}</details></li>"
        for choice, why in verdicts.items()
    )
    card = _Card(question, f"<ul>{items}</ul>", options, feedback)
    card.choose, card.feedback = lambda choice: setattr(options, "value", choice), feedback
    return card


def predict(name, question, choices=None, unit=""):
    """Ask for a guess before the measurement, and keep it under a name for `compare`.

    With choices the guess is one of them, without it is a number in the unit. Running the cell
    again keeps the guess.

    Returns:
        A widget. `guess(value)` does what the reader does.

    Example:
        >>> predict("docs: share", "What share will survive?", unit="%").guess(40)
        >>> compare("docs: share", 62.5, unit="%").text
        'You guessed 40 %. Measured: 62.5 %, which is 22.5 more.'
    """
    if choices is None:
        label = f"your guess{unit and ', in ' + unit}"
        guessed, layout = _guesses.get(name, 0.0), {"max_width": "98%"}
        box = widgets.FloatText(guessed, description=label, layout=layout)
        box.style.description_width = "initial"
    else:
        box = _radio(choices)
        box.value = _guesses.get(name)
    kept = widgets.HTML()

    def keep(change=None):
        if change is not None:
            _guesses[name] = change["new"]
        text = (
            f"{_in_words(_guesses[name], unit)} is kept." if name in _guesses else "No guess yet."
        )
        kept.value = _verdict("Your guess:", text, _NEUTRAL).html

    box.observe(keep, names="value")
    keep()
    items = "".join(f"<li>{html.escape(choice)}</li>" for choice in choices or ())
    card = _Card(question, f"<ul>{items}</ul>", box, kept)

    def guess(value):
        box.value = value
        keep({"new": box.value})  # also where the box has said so from the start

    card.guess = guess
    return card


def compare(name, measured, unit=""):
    """The reader's guess, if there is one, beside what was measured: a `Picture`.

    Example:
        >>> compare("docs: never asked", 0.25).text
        'You made no guess. Measured: 0.25.'
    """
    value = _in_words(measured, unit)
    if name not in _guesses:
        return _verdict("You made no guess.", f"Measured: {value}.", _NEUTRAL)
    guess = _guesses[name]
    if _same(guess, measured):
        remark = ", as you said"
    elif isinstance(guess, str):
        remark = ""
    else:
        more = "more" if measured > guess else "less"
        remark = f", which is {_in_words(abs(measured - guess))} {more}"
    return _verdict(
        f"You guessed {_in_words(guess, unit)}.", f"Measured: {value}{remark}.", _NEUTRAL
    )


def _in_words(value, unit=""):
    return (f"{value:.3g}" if isinstance(value, float) else str(value)) + (unit and f" {unit}")


def exercise(solution, cases, mistakes=None, hint=""):
    """Make the check of an exercise: from the reader's function to the verdict, a `Picture`.

    Args:
        solution: a function that does it right.
        cases: a list of argument tuples to try.
        mistakes: {diagnosis: function that makes this mistake}. If the reader's values are those of
            a mistake, the verdict is its diagnosis; else it is the first case that differs, and the
            hint.

    Raises:
        ValueError: a mistake that no case tells from the solution. An error of the reader's
            function passes through.

    Example:
        >>> doubles = {"That doubles: multiply x with itself.": lambda x: x + x}
        >>> check = exercise(lambda x: x * x, [(2,), (3,)], doubles)
        >>> check(lambda x: 2 * x).text
        'Not yet. That doubles: multiply x with itself.'
    """
    wanted, wrong = _plain([solution(*case) for case in cases]), {}
    for diagnosis, mistake in (mistakes or {}).items():
        wrong[diagnosis] = _plain([mistake(*case) for case in cases])
        if _same(wrong[diagnosis], wanted):
            alike = f"No case tells this mistake from the solution: {diagnosis!r}."
            raise ValueError(f"{alike} Add one that does.")

    def check(answer):
        values = _plain([answer(*case) for case in cases])
        if _same(values, wanted):
            return _verdict("Solved.", f"Right in all {len(cases)} cases.", _GOOD)
        if all(value is None or value is ... for value in values):
            return _verdict("Your turn.", f"The function returns nothing yet. {hint}", _NEUTRAL)
        for diagnosis, known in wrong.items():
            if _same(values, known):
                return _verdict("Not yet.", diagnosis, _OTHER)
        rows = zip(cases, values, wanted, strict=True)
        case, value, right = next(row for row in rows if not _same(*row[1:]))
        called = ", ".join(map(repr, _plain(case)))
        told = f"For ({called}) it gives {value!r}, not {right!r}. {hint}"
        return _verdict("Not yet.", told, _OTHER)

    return check


def _plain(value):
    """A value without its library: arrays, tensors and tables as lists and dictionaries."""
    for name in ("tolist", "to_dict"):
        if callable(convert := getattr(value, name, None)):
            return _plain(convert())
    if type(value) in (list, tuple):
        return type(value)(map(_plain, value))
    return {key: _plain(one) for key, one in value.items()} if type(value) is dict else value


def _same(a, b):
    """Equal, numbers within rounding, also inside lists, tuples and dictionaries."""
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9)
    return a == b


class Round(NamedTuple):
    """A round of `guess`: a text that breaks off, what may come, what did, and what rivals say."""

    text: str
    options: tuple
    answer: str
    rivals: dict  # {name: a probability for each option}


def equal_words(shares):
    """The score of a guesser: as unsure as choosing among how many equal words? The best is 1.

    `shares` are those, from 0 to 1, that it had on the words that came. The score is the geometric
    mean of 1 / share: infinite where a word came that it had called impossible.

    Example:
        >>> equal_words([1 / 4, 1 / 4]), equal_words([1 / 2, 1 / 8]), equal_words([1.0, 0.0])
        (4.0, 4.0, inf)
    """
    if 0 in shares:
        return math.inf
    return math.prod(1 / share for share in shares) ** (1 / len(shares))


def guess(rounds):
    """Guess like a model: lay points on what may come next, and see how many lay on what came.

    Only the ratio of the points counts. Every option keeps at least one, since whoever says "never"
    can be infinitely wrong. All rounds have as many options.

    Returns:
        A widget. `bet(points)` does what typing and pressing *Bet* does, and goes on to the next
        text; `scores()` gives {player: equal_words so far}, {} before the first bet; `feedback` is
        the `widgets.HTML` with the result.

    Raises:
        ValueError: no round, or one whose answer is not among its options.

    Example:
        >>> game = guess([Round("Once upon a", (" time", " kite"), " time", {"truth": (1.0, 0.0)})])
        >>> game.bet([3, 1])
        >>> {player: round(score, 2) for player, score in game.scores().items()}
        {'you': 1.33, 'truth': 1.0}
    """
    return _Game(rounds)


class _Game(LiveView):
    def __init__(self, rounds):
        if not rounds:
            raise ValueError("A game needs at least one Round.")
        for one in rounds:
            if one.answer not in one.options:
                known = ", ".join(map(repr, one.options))
                raise ValueError(f"The answer {one.answer!r} is not among: {known}.")
        self._rounds, self._played = list(rounds), []
        self._text, self.feedback = widgets.HTML(), widgets.HTML()
        self._boxes = [widgets.BoundedIntText(1, min=1, max=1000) for _ in rounds[0].options]
        for box in self._boxes:
            box.style.description_width, box.layout.width = "150px", "240px"
        self._button = widgets.Button(icon="check")
        self._button.on_click(lambda _: self._lay() if self._open else self._ask())
        self._ask()
        still = Picture("<p><em>A game, alive in a running notebook.</em></p>", "a game")
        parts = [self._text, *self._boxes, self._button, self.feedback]
        super().__init__(still, parts, layout={"max_width": "720px"})

    def _ask(self):
        """Show the next text, or the first one again."""
        if len(self._played) == len(self._rounds):
            self._played.clear()
        self._open, number, one = True, len(self._played), self._rounds[len(self._played)]
        text = f"<strong>Text {number + 1} of {len(self._rounds)}. What comes next?</strong>"
        style = "white-space:pre-wrap;line-height:1.5;margin:4px 0"
        broken_off = f"{html.escape(one.text)} <strong>____</strong>"
        self._text.value = f'{text}<p style="{style}">{broken_off}</p>'
        for box, option in zip(self._boxes, one.options, strict=True):
            box.description, box.value, box.disabled = option.strip(), 1, False
        self._button.description, self.feedback.value = "Bet", ""

    def _lay(self):
        """Take the points as a bet, and show what came."""
        one, points = self._rounds[len(self._played)], [box.value for box in self._boxes]
        bets = {"you": [value / sum(points) for value in points], **one.rivals}
        place = one.options.index(one.answer)
        self._played.append({player: shares[place] for player, shares in bets.items()})
        for box in self._boxes:
            box.disabled = True
        over = len(self._played) == len(self._rounds)
        self._open, self._button.description = False, "Play again" if over else "Next text"
        self.feedback.value = self._result(one.answer.strip())

    def _result(self, answer):
        now, scores = self._played[-1], self.scores()
        table = "<tr><th></th><th>on this word</th><th>so far: equal words</th></tr>"
        left = 'scope="row" style="text-align:left;padding:2px 12px 2px 0"'
        for player, score in scores.items():
            share = f'<td style="padding:2px 12px">{100 * now[player]:.0f} %</td>'
            table += f"<tr><th {left}>{html.escape(player)}</th>{share}<td>{score:.2f}</td></tr>"
        said = f"You had {100 * now['you']:.0f} % on it. So far: {scores['you']:.2f} equal words."
        return f"{_verdict(f'It was: {answer}.', said, _NEUTRAL).html}<table>{table}</table>"

    def bet(self, points):
        if not self._open:
            self._ask()
        for box, value in zip(self._boxes, points, strict=True):
            box.value = value
        self._lay()

    def scores(self):
        played = self._played
        return {who: equal_words([turn[who] for turn in played]) for turn in played for who in turn}
