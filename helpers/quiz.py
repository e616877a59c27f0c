"""Four things that a teacher would ask for: a question, a prediction, an exercise, a game.

`quiz` asks, and gives a reason for every answer, right or wrong. `predict` keeps the reader's
guess, and `compare` shows it again beside what was measured. `exercise` checks the reader's
function and, where its values are wrong, looks for the known mistake that gives the same ones.
`guess` lets the reader bet on the next word, and scores the bets beside those of models. Nothing
is graded, kept or sent anywhere.

The notebooks name what they ask: "05-1" is the first of its kind in notebook 05. The texts are in
`helpers/data/lessons`, so that no page gives an answer away.
"""

import html
import math
import statistics
from typing import NamedTuple

import ipywidgets as widgets

from helpers._plumbing.cards import NEUTRAL, Comparison, Exercise, Prediction, Quiz, note
from helpers.charts import LiveView, Picture


def quiz(name):
    """A multiple-choice question, which shows the reason of each choice that the reader takes.

    Returns:
        A widget. `choose(choice)` does what a click does; `feedback` is the `widgets.HTML` with the
        reason.

    Raises:
        ValueError: there is no quiz of this name.

    Example:
        >>> asked = quiz("06-3")
        >>> asked.choose("144")
        >>> "Not this one." in asked.feedback.value
        True
    """
    return Quiz(name)


def predict(name):
    """Ask for a guess before the measurement, and keep it for `compare`.

    The guess is a number in the unit that is shown, or one of the choices. Running the cell again
    keeps it.

    Returns:
        A widget. `guess(value)` does what the reader does; `feedback` is the `widgets.HTML` that
        says what is kept.

    Raises:
        ValueError: there is no guess of this name.

    Example:
        >>> predict("05-2").guess(40)
        >>> compare("05-2", 62.5).text
        'You guessed 40 %. Measured: 62.5 %, which is 22.5 more.'
    """
    return Prediction(name)


def compare(name, measured):
    """The reader's guess beside what was measured.

    As long as there is no guess, a button shows what was measured. A guess that comes later is
    compared at once.

    Args:
        measured: the number that was asked for, or what the conditions of the choices need.

    Returns:
        A widget. `show()` does what the button does; `text` is the sentence, "" before it is shown.

    Raises:
        TypeError: a number is needed.
        ValueError: there is no guess of this name, or none of its choices fits.

    Example:
        >>> alone = compare("04-4", 47)
        >>> alone.text
        ''
        >>> alone.show()
        >>> alone.text
        'You made no guess. Measured: 47 %.'
    """
    return Comparison(name, measured)


def exercise(name, answer):
    """Check the reader's function: solved, not begun, a known mistake, or the first wrong case.

    An error inside the function becomes part of the verdict.

    Returns:
        A widget. `verdict` is its sentence; `hint()` and `solution()` do what the buttons do.

    Raises:
        TypeError: the answer is no function.
        ValueError: there is no exercise of this name.

    Example:
        >>> exercise("04-1", lambda share, n_tokens: share ** (1 / n_tokens)).verdict
        'Solved. Right in all 4 cases.'
    """
    return Exercise(name, answer)


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
    return math.inf if 0 in shares else 1 / statistics.geometric_mean(shares)


def guess(rounds):
    """Guess like a model: lay points on what may come next, and see how many lay on what came.

    Only the ratio of the points counts. Every option keeps at least one, since a "never" that
    is wrong costs infinitely much. All rounds have as many options.

    Returns:
        A widget. `bet(points)` does what typing and pressing *Bet* does, and goes on to the next
        text; `scores()` gives {player: equal_words so far}, {} before the first bet; `feedback` is
        the `widgets.HTML` with the result.

    Raises:
        ValueError: no round, one whose answer is not among its options, or one with more or fewer
            options or probabilities than the others.

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
            sizes = {len(one.options), len(rounds[0].options), *map(len, one.rivals.values())}
            if len(sizes) > 1:
                needed = "as many options as the first, and of each rival a probability for each"
                raise ValueError(f"The round {one.text!r} needs {needed}.")
        self._rounds, self._played = list(rounds), []
        self._text, self.feedback = widgets.HTML(), widgets.HTML()
        self._boxes = [widgets.BoundedIntText(1, min=1, max=1000) for _ in rounds[0].options]
        for box in self._boxes:
            box.style.description_width, box.layout.width = "150px", "240px"
        self._button = widgets.Button(icon="check")
        self._button.on_click(lambda _: self._lay() if self._open else self._ask())
        self._ask()
        line = "A game: bet on the next word of a text, beside models that bet on it too."
        run = "Run the notebook to play."
        still = Picture(f"<p><em>{line} {run}</em></p>", f"{line} {run}")
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
        return f"{note(f'It was: {answer}.', said, NEUTRAL)}<table>{table}</table>"

    def bet(self, points):
        if not self._open:
            self._ask()
        for box, value in zip(self._boxes, points, strict=True):
            box.value = value
        self._lay()

    def scores(self):
        played = self._played
        return {who: equal_words([turn[who] for turn in played]) for turn in played for who in turn}
