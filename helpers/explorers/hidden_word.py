"""Hide one word of a text, and see what a masked language model would write there.

All guesses are made when the view is built, in one batch; the slider only picks one of them.
"""

import re

import ipywidgets as widgets

from helpers._plumbing.checks import check_text
from helpers._plumbing.words import visible
from helpers.charts import Picture
from helpers.explorers._bars import SEES, SMALL, blank_html, status_html
from helpers.explorers._controls import labelled, row
from helpers.explorers._explorer import Explorer
from helpers.fill_mask import BLANK, fill_masks

A_WORD = re.compile(r"\w+(?:['’]\w+)*")


class HiddenWordExplorer(Explorer):
    """A masked language model that guesses one hidden word of a text, and a slider to pick it.

    It starts on the first word that the model misses. `number` is the box that leads the slider,
    from 1; `words` and `guesses` are the words of the text and, for each, what the model would
    write; `missed` the words where the two differ. `view` and `status` are the `widgets.HTML` that
    follow the slider.

    Raises:
        ValueError, TypeError: a text without a word or with a [MASK]; what `fill_mask` would
            refuse.

    Example:
        >>> from helpers.models import load_masked_lm
        >>> explorer = HiddenWordExplorer(load_masked_lm("pocket-bert"), "The cat sat on the mat.")
        >>> explorer.words[1], explorer.guesses[1].token
        ('cat', 'cat')
    """

    def __init__(self, lm, text):
        check_text(lm, f"{text} {lm.tokenizer.mask_token}", "masked")
        self._text, self._places = text, [word.span() for word in A_WORD.finditer(text)]
        if not self._places or BLANK in text:
            raise ValueError(f"The text must have a word to hide, and no {BLANK} yet.")
        super().__init__(f"A slider that hides one word after another from {lm.name}")
        self._lm, hidden = lm, [text[:a] + BLANK + text[b:] for a, b in self._places]
        self.words = [text[a:b] for a, b in self._places]
        self.guesses = [blanks[0] for blanks in fill_masks(lm, hidden, 1)]
        wrong = [n for n, word in enumerate(self.words) if self.guesses[n].token != word]
        self.missed = [self.words[n] for n in wrong]
        last, start = len(self.words), wrong[0] + 1 if wrong else 1
        self.number = widgets.BoundedIntText(start, min=1, max=last, description="hide word")
        slider = widgets.IntSlider(start, min=1, max=max(2, last), disabled=last == 1)
        self.view = widgets.HTML()
        self._draw_on(self.number)
        self.children = [row(labelled(self.number, slider, int)), self.status, self.view]
        self._draw()
        right = next((n for n in range(1, last + 1) if n - 1 not in wrong), start)
        shown = dict.fromkeys([start, right, wrong[-1] + 1 if wrong else last])
        self.still = self._pictured([self._picture(n) for n in shown])

    def _show(self):
        self.view.value, sentence = self._page(self.number.value)
        return (sentence,)

    def _page(self, number):
        """The text with a word hidden, and the sentence about the guess."""
        (a, b), guess = self._places[number - 1], self.guesses[number - 1]
        before, after = visible(self._text[:a]), visible(self._text[b:])
        text = f"{before}{blank_html(visible(guess.token))}{after}"
        word = self.words[number - 1]
        verdict = "Right." if guess.token == word else f"The text has: {word}."
        sentence = f"{self._lm.name} writes {guess.token} ({guess.probability:.0%} sure). {verdict}"
        missed = f"It misses {len(self.missed)} of {len(self.words)} words"
        missed += f": {', '.join(self.missed)}." if self.missed else "."
        note = f'<div style="margin:4px;{SMALL}">{visible(missed)}</div>'
        return f'<p class="lmm-sees" style="{SEES}">{text}</p>{note}', sentence

    def _picture(self, number):
        page, sentence = self._page(number)
        heading = f"word {number} hidden: {sentence}"
        return Picture(status_html(heading) + page, heading)
