"""The cards that ask: a quiz, a prediction, a comparison, an exercise, each a live view.

`helpers.quiz` makes them. What a card stores in a notebook has the question and no answer.
"""

import html

import ipywidgets as widgets

from helpers._plumbing.lessons import finding, in_words, judge, lesson, number_in
from helpers.charts import LiveView, Picture

GOOD, OTHER, NEUTRAL = "#009E73", "#D55E00", "#0072B2"
_LONG_CHOICES = """<style>
.lmm-choices.lmm-choices label { display: flex; flex-direction: row-reverse;
  justify-content: flex-end; gap: 6px; height: auto; padding-left: 5px; line-height: 20px;
  white-space: normal }
.lmm-choices input { flex: none }
</style>"""
_guesses, _watching = {}, {}  # {name: guess}, {name: what to call when it changes}


def note(verdict, text, colour):
    """A sentence beside a coloured line, which a screen reader reads out when it changes."""
    style = "max-width:720px;margin:4px 0;padding:4px 12px;line-height:1.5;overflow-wrap:anywhere"
    words = f"<strong>{html.escape(verdict)}</strong> {html.escape(text)}"
    live = f'role="status" aria-live="polite" style="{style};border-left:4px solid {colour}"'
    return f"<p {live}>{words}</p>"


def _asked(question):
    text = f"<strong>{html.escape(question)}</strong>"
    return f'<div style="max-width:720px;line-height:1.5">{text}</div>'


def _radio(choices):
    radio = widgets.RadioButtons(options=list(choices), index=None, layout={"width": "auto"})
    return radio.add_class("lmm-choices")


class Card(LiveView):
    """A question above its widgets. Stored, it has the question and the choices alone."""

    def __init__(self, question, choices, *below):
        items = "".join(f"<li>{html.escape(choice)}</li>" for choice in choices)
        listed = f"<ul>{items}</ul>" if choices else ""
        run = "<p><em>Run the notebook to answer.</em></p>"
        still = Picture(f"<p><strong>{html.escape(question)}</strong></p>{listed}{run}", question)
        super().__init__(still, [widgets.HTML(_LONG_CHOICES + _asked(question)), *below])


class Quiz(Card):
    """A question with choices, which gives the reason of each choice that the reader takes."""

    def __init__(self, name):
        asked = lesson("quiz", name)
        self.feedback, self._options = widgets.HTML(), _radio(asked["choices"])

        def answer(change):
            right = change["new"] == asked["answer"]
            verdict = ("Right.", GOOD) if right else ("Not this one.", OTHER)
            self.feedback.value = note(verdict[0], asked["choices"][change["new"]], verdict[1])

        self._options.observe(answer, "value")
        super().__init__(asked["question"], asked["choices"], self._options, self.feedback)

    def choose(self, choice):
        """Take a choice."""
        self._options.value = choice


class Prediction(Card):
    """A question that takes a guess, and keeps it for the comparison of the same name."""

    def __init__(self, name):
        asked = lesson("guess", name)
        self._name, self._unit = name, asked.get("unit", "")
        choices, self.feedback = asked.get("choices", {}), widgets.HTML()
        if choices:
            self._box = row = _radio(choices)
            self._box.value = _guesses.get(name)
        else:
            kept = f"{_guesses[name]:g}" if name in _guesses else ""
            look = {"description": "your guess", "placeholder": "a number"}
            look |= {"layout": {"width": "220px"}}
            self._box = widgets.Text(kept, continuous_update=False, **look)
            row = widgets.HBox([self._box, widgets.HTML(html.escape(self._unit))])
        self._box.observe(lambda change: self._take(change["new"]), "value")
        self._say()
        super().__init__(asked["question"], choices, row, self.feedback)

    def guess(self, value):
        """Make a guess: a number, or one of the choices."""
        self._box.value = value if isinstance(value, str) else f"{value:g}"

    def _take(self, value):
        if isinstance(self._box, widgets.Text):
            if not value.strip():
                return self._say()
            try:
                value = number_in(value, self._unit)
            except ValueError as error:
                self.feedback.value = note("", str(error), OTHER)
                return None
        _guesses[self._name] = value
        self._say()
        if show := _watching.get(self._name):
            show()

    def _say(self):
        text = "No guess yet."
        if self._name in _guesses:
            text = f"{in_words(_guesses[self._name], self._unit)} is kept."
        self.feedback.value = note("Your guess:", text, NEUTRAL)


class Comparison(LiveView):
    """A guess beside what was measured, as soon as there is a guess or the reader asks."""

    def __init__(self, name, measured):
        asked = lesson("guess", name)
        self._name, self._measured = name, finding(asked, measured)
        self._label, self._unit = asked.get("label", "Measured"), asked.get("unit", "")
        self.text, self._feedback = "", widgets.HTML(note("You have not guessed yet.", "", NEUTRAL))
        wide = {"width": "max-content"}
        self._button = widgets.Button(description="Show what was measured", layout=wide)
        self._button.on_click(lambda _: self.show())
        line = "Your guess and the result appear here when the notebook runs."
        super().__init__(Picture(f"<p><em>{line}</em></p>", line), [self._feedback, self._button])
        _watching[name] = self.show
        if name in _guesses:
            self.show()

    def show(self):
        """Show what was measured, beside the guess if there is one."""
        found, guess = self._measured, _guesses.get(self._name)
        verdict, remark = "You made no guess.", ""
        if guess is not None:
            verdict = f"You guessed {in_words(guess, self._unit)}."
            if in_words(found) == in_words(guess):
                remark = ", as you said"
            elif not isinstance(found, str):
                more = "more" if found > guess else "less"
                remark = f", which is {in_words(abs(found - guess))} {more}"
        text = f"{self._label}: {in_words(found, self._unit)}{remark}."
        self.text, self._feedback.value = f"{verdict} {text}", note(verdict, text, NEUTRAL)
        self._button.layout.display = "none"


class Exercise(LiveView):
    """The verdict on the reader's function, with a hint and a solution for the asking."""

    def __init__(self, name, answer):
        if not callable(answer):
            raise TypeError(f"exercise({name!r}, ...) needs your function, not {answer!r}.")
        self._asked = lesson("exercise", name)
        verdict, text = judge(self._asked, answer)
        colour = {"Solved.": GOOD, "Not yet.": OTHER}.get(verdict, NEUTRAL)
        self.verdict, self.shown = f"{verdict} {text}", widgets.HTML()
        buttons = [widgets.Button(description=label) for label in ("Hint", "Solution")]
        buttons[0].on_click(lambda _: self.hint())
        buttons[1].on_click(lambda _: self.solution())
        line = "Run this cell to check your function."
        above = widgets.HTML(_asked(self._asked["question"]) + note(verdict, text, colour))
        parts = [above, widgets.HBox(buttons), self.shown]
        super().__init__(Picture(f"<p><em>{line}</em></p>", line), parts)

    def hint(self):
        """Show the hint."""
        self.shown.value = note("Hint:", self._asked["hint"], NEUTRAL)

    def solution(self):
        """Show a solution."""
        look = "margin:4px 0;padding:4px 12px;white-space:pre-wrap;line-height:1.4"
        code = html.escape(self._asked["solution"].strip())
        self.shown.value = f'<pre role="status" aria-live="polite" style="{look}">{code}</pre>'
