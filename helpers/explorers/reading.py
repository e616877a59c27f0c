"""One text, read in two ways: from the left by a causal model, around a blank by a masked one.

The words behind the blank are revealed one by one. Both models read when the text changes, for all
numbers of revealed words at once; moving the slider only picks what they said then. The rows are
the same in both tables at every place of the slider, so that all that changes is the bars. A word
counts with and without the space before it, as the models of the hub do not agree where that space
belongs. Left out: several blanks.
"""

import re
from collections import Counter
from typing import NamedTuple

import ipywidgets as widgets

from helpers._plumbing.checks import check_text, check_whole_number
from helpers._plumbing.passes import blank_logits
from helpers._plumbing.words import visible
from helpers.charts import Picture
from helpers.explorers._bars import (
    SEES,
    Bar,
    axis_end,
    bars_html,
    blank_html,
    hidden_html,
    side_by_side,
    status_html,
)
from helpers.explorers._controls import labelled, row, sized
from helpers.explorers._explorer import ModelExplorer, never_seen
from helpers.explorers._scripts import reading_script
from helpers.fill_mask import BLANK
from helpers.generation import next_token_logits
from helpers.lab import pocketweb

WORDS_SHOWN = 8  # bars at most; one more row sums up the rest of the vocabulary
TEXT = "Review: We went to a [MASK]. The music was lovely. The soup was superb. Highly recommended."


class Readings(NamedTuple):
    """All that the slider needs of a text."""

    left: str  # what stands before the blank
    words: list  # what stands behind it: words, each with the white space before it
    causal: list  # the bars of the causal model, which sees none of these words
    masked: list  # [n_words + 1]: the bars of the masked model with 0, 1, ... words revealed


def _read(causal, masked, text):
    """Let both models read a text: the masked one at every place of the slider."""
    left, before, words = _split(causal, masked, text)
    shown = [left + BLANK + "".join(words[:n]) for n in range(len(words) + 1)]
    own = [text.replace(BLANK, masked.tokenizer.mask_token) for text in shown]
    scores = blank_logits(masked, [check_text(masked, text, "masked").input_ids[0] for text in own])
    asked = [(causal, next_token_logits(causal, before), pocketweb.next_token, before)]
    asked += [(masked, x[0], pocketweb.blank, t) for x, t in zip(scores, shown, strict=True)]
    said, true = [], []
    for lm, logits, exact, text in asked:
        chances = logits.softmax(-1).tolist()
        said.append(_by_word(zip(lm.vocabulary, chances, strict=True)))
        true.append(_by_word(exact(text).items() if lm.knows_whole_words_only else ()))
    highest = Counter()
    for probabilities in said + true:
        highest |= probabilities  # the larger one for each word
    shown = [
        word for n, (word, p) in enumerate(highest.most_common(WORDS_SHOWN)) if p >= 0.01 or n < 3
    ]
    shown.sort(key=lambda word: -said[0][word])
    first, *others = map(_word_bars, [shown] * len(said), said, true)
    return Readings(left, words, first, others)


def _split(causal, masked, text):
    """What stands before the blank, the same without the blank's space, and the words behind it."""
    check_text(masked, text, "masked")
    left, *right = text.split(BLANK)
    if len(right) != 1 or not left.strip() or not right[0].strip():
        example = f'such as "{TEXT}"'
        raise ValueError(f"The text must hold one {BLANK} with words on both sides, {example}")
    before = left.removesuffix(" ")
    check_text(causal, before, "causal")
    return left, before, re.findall(r"\s*\S+(?:\s+$)?", right[0])


def _by_word(pairs):
    """(token, probability) pairs as {word: probability}, with or without a space before it."""
    words = Counter()
    for token, probability in pairs:
        words[token.strip(" ")] += probability
    return words


def _word_bars(words, said, true):
    """A bar for each of the words, and one for all others."""
    bars = [Bar(word, said[word], truth=true[word] if true else None) for word in words]
    rest, true_rest = (max(0.0, 1 - sum(p[word] for word in words)) for p in (said, true))
    others = Bar("all other words", rest, truth=true_rest if true else None, is_token=False)
    return [*bars, others]


def _panels(causal, masked, readings, n):
    """With n words revealed: what each model sees and says, as HTML, and a sentence."""
    left, words, first, others = readings
    end = axis_end(first, *others)  # one for all places of the slider: it moves the bars alone
    panels, guesses = [], []
    for lm, bars, seen in ((causal, first, 0), (masked, others[n], n)):
        after = visible("".join(words[seen:]))
        hidden = re.sub(r"\S+", lambda word: hidden_html(word[0]), after)
        text = f"{visible(left)}{blank_html('?')}{visible(''.join(words[:seen]))}{hidden}"
        plural = "s" if seen != 1 else ""
        caption = f"It sees all before the blank and {seen or 'no'} word{plural} after it."
        head = f'<p class="lmm-sees" style="{SEES}"><b>{visible(lm.name)}</b><br>{text}</p>'
        panels.append(head + bars_html(bars, caption, end))
        best = max(bars[:-1], key=lambda bar: bar.probability)
        guesses.append(f"{lm.name} guesses {best.label!r} ({best.probability:.1%})")
    revealed = f"{n} of {len(words)} words after the blank revealed"
    return panels, f"{revealed}: {guesses[0]}, {guesses[1]}."


def reading_picture(causal, masked, text=TEXT, revealed=0):
    """The bars of `ReadingExplorer` as they stand still, for a page without a kernel: a `Picture`.

    Args:
        revealed: how many words behind the blank the masked model may see.

    Raises:
        ValueError, TypeError: a model of the wrong kind, not one [MASK] with words on both sides, a
            text that is too long, more words to reveal than there are.

    Example:
        >>> from helpers.models import load_causal_lm, load_masked_lm
        >>> pair = load_causal_lm("pocket-gpt2"), load_masked_lm("pocket-bert")
        >>> picture = reading_picture(*pair, "The [MASK] sat on the mat.", revealed=2)
        >>> "2 of 4 words" in picture.text
        True
    """
    readings = _read(causal, masked, text)
    n = check_whole_number(revealed, "revealed", 0, len(readings.words))
    return _both(causal, masked, readings, n)


def _both(causal, masked, readings, n):
    panels, sentence = _panels(causal, masked, readings, n)
    text = sentence
    for bars in zip(readings.causal, readings.masked[n], strict=True):
        text += f"\n  {bars[0].label!r:18}"
        for lm, bar in zip((causal, masked), bars, strict=True):
            truth = "" if bar.truth is None else f" truth {bar.truth:6.1%}"
            text += f" {lm.name} {bar.probability:6.1%}{truth}"
    return Picture(status_html(sentence) + side_by_side(panels), text)


class ReadingExplorer(ModelExplorer):
    """The same text for a causal and a masked model, and a slider that reveals what follows.

    The controls are attributes, so that a cell can move them: `text` (holds one [MASK], with words
    on both sides), `revealed` (how many words behind the blank are shown) and `show_code`. What
    changes are `causal_bars`, `masked_bars` and `status`, each a `widgets.HTML`. Beside the bars of
    a pocket model, as long as the text belongs to PocketWeb, stands the exact truth: given the left
    side alone, and given all that is revealed.

    Raises:
        ValueError, TypeError: what `reading_picture` would refuse. Later on, such sentences stand
            in `status`.

    Example:
        >>> from helpers.models import load_causal_lm, load_masked_lm
        >>> explorer = ReadingExplorer(load_causal_lm("pocket-gpt2"), load_masked_lm("pocket-bert"))
        >>> explorer.revealed.value = 3
        >>> "3 of 11 words" in explorer.status.value
        True
    """

    def __init__(self, causal, masked, text=TEXT):
        self._readings = _read(causal, masked, text)
        super().__init__(f"A slider on {causal.name} and {masked.name}")
        self.causal, self.masked, last = causal, masked, len(self._readings.words)
        self.text = widgets.Textarea(text, description="text", rows=2, continuous_update=False)
        self.revealed = widgets.BoundedIntText(0, min=0, max=last, description="revealed")
        self._slider = widgets.IntSlider(0, min=0, max=last)
        layout = {"flex": "1 1 300px", "min_width": "0", "max_width": "98%"}
        layout["padding"] = "0 10px 0 0"
        self.causal_bars, self.masked_bars = (widgets.HTML(layout=layout) for _ in range(2))
        self.text.observe(self._change_text, names="value")
        self._draw_on(self.revealed)
        self.children = [
            sized(self.text, "auto"),
            row(labelled(self.revealed, self._slider, int), self.show_code),
            self.status,
            row(self.causal_bars, self.masked_bars),
            self._code,
        ]
        self._draw()
        places = sorted({0, last // 2, last})
        pictures = [_both(causal, masked, self._readings, n) for n in places]
        self.still = self._pictured(pictures, basis=700)

    def code(self):
        """The plain transformers script that prints the likeliest tokens of both models here."""
        left, words, *_ = self._readings
        shown = "".join(words[: self.revealed.value])
        blanked = f"{left}{self.masked.tokenizer.mask_token}{shown}"
        return reading_script(self.causal, left.removesuffix(" "), self.masked, blanked)

    def _change_text(self, _=None):
        """Let both models read the new text, and hide all behind the blank."""
        self._readings = None
        with self._errors_on_page(self.causal_bars, self.masked_bars):
            self._readings = _read(self.causal, self.masked, self.text.value)
            self.revealed.value = 0
            self.revealed.max = self._slider.max = len(self._readings.words)
            self._draw()

    def _show(self):
        if self._readings is None:
            return None
        panels, sentence = _panels(self.causal, self.masked, self._readings, self.revealed.value)
        self.causal_bars.value, self.masked_bars.value = panels
        return sentence, never_seen(self.masked, self.text.value)
