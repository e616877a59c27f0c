"""Blanks in a text: what a masked language model would write there as the right side appears.

The answers are those of `fill_mask`, asked for every length of the right context at once when the
text, the words to compare or the model has changed. Moving the slider only shows another of them.
Left out: the joint probability of several blanks, which no masked model gives.
"""

import re
import warnings
from typing import NamedTuple

import ipywidgets as widgets

from helpers._plumbing.checks import check_text
from helpers._plumbing.words import visible
from helpers.charts import Picture
from helpers.explorers._bars import (
    SEES,
    SMALL,
    Bar,
    axis_end,
    bar_lines,
    bars_html,
    blank_html,
    hidden_html,
    side_by_side,
    status_html,
)
from helpers.explorers._controls import labelled, row, sized
from helpers.explorers._explorer import ModelExplorer, never_seen
from helpers.explorers._scripts import fill_script
from helpers.fill_mask import BLANK, fill_masks
from helpers.lab import pocketweb
from helpers.models import load_masked_lm

MASKED_MODELS = (
    "pocket-bert",
    "bert-base-uncased",
    "roberta-base",
    "distilbert-base-uncased",
    "albert-base-v2",
)
CANDIDATES_SHOWN = 10  # bars for each blank; one more row sums up the rest of the vocabulary
ONE_BY_ONE = 24  # words on the right that appear one at a time; the last brings all that follow
WORD = re.compile(rf"\s*(?:{re.escape(BLANK)}|\w+(?:['’]\w+)*|\S)")


class View(NamedTuple):
    """A text up to a word on the right of its first blank, and what is known about its blanks."""

    shown: str
    hidden: str
    blanks: list  # for each blank in `shown` the list of its Candidates
    truth: dict  # exact {token text: probability}: a pocket model, one blank, its language; or {}


def _views(lm, text, targets):
    """A View for each length of the right context. The errors are those of `fill_mask`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the status names unknown words
        check_text(lm, text, "masked")
        left, blank, right = text.replace(lm.tokenizer.mask_token, BLANK).partition(BLANK)
        cuts = [0, *(word.end() for word in WORD.finditer(right))][: ONE_BY_ONE + 1]
        cuts[-1] = len(right)
        shown = [left + blank + right[:cut] for cut in cuts]
        answers = fill_masks(lm, shown, CANDIDATES_SHOWN, targets)
    views = []
    for cut, text, blanks in zip(cuts, shown, answers, strict=True):
        single = text.count(BLANK) == 1
        truth = pocketweb.blank(text) if single and lm.knows_whole_words_only else {}
        views.append(View(text, right[cut:], [blanks] if single else blanks, truth))
    return views


def _tables(lm, view):
    """For each blank of a view the list of its Bars."""
    return [_candidate_bars(lm, candidates, view.truth) for candidates in view.blanks]


def _axis(lm, views):
    """One end for the axes of all views, in per cent: the slider moves the bars alone."""
    return axis_end(*(bars for view in views for bars in _tables(lm, view)))


def _view_html(lm, view, end):
    """A view as HTML with axes that end there, and the sentence about it. Runs no model."""
    columns, best = [], []
    for n, (bars, candidates) in enumerate(zip(_tables(lm, view), view.blanks, strict=True), 1):
        name = f"blank {n}" if len(view.blanks) > 1 else ""
        head = f'<div style="margin:0 4px;{SMALL}"><b>{name}</b></div>' if name else ""
        columns.append(head + bars_html(bars, end=end))
        likeliest = f"{candidates[0].token!r} {100 * candidates[0].probability:.1f} %"
        best.append(f"{name} {likeliest}".strip())
    right = view.shown.partition(BLANK)[2]
    shown, hidden = (len(WORD.findall(part)) for part in (right, view.hidden))
    sentence = f"{shown} of {shown + hidden} words to the right shown; likeliest: {', '.join(best)}"
    caption = visible(f"{lm.name}; · is a space. {_remark(lm, view)}")
    caption = f'<div style="margin:4px;{SMALL}">{caption}</div>'
    return _text_html(view) + side_by_side(columns) + caption, sentence


def _candidate_bars(lm, candidates, truth):
    bars = []
    for candidate in candidates:
        token = lm.vocabulary[candidate.token_id]
        exact = truth.get(token, 0.0) if truth else None
        bars.append(Bar(token, candidate.probability, truth=exact))
    rest = max(0.0, 1 - sum(bar.probability for bar in bars))
    rest_truth = max(0.0, 1 - sum(bar.truth for bar in bars)) if truth else None
    others = f"{len(lm.vocabulary) - len(bars):,} others"
    return [*bars, Bar(others, rest, truth=rest_truth, is_token=False)]


def _remark(lm, view):
    if len(view.blanks) > 1:
        return "Each blank is filled as if nobody knew what goes into the others."
    if view.truth:
        return "The truth is exact: among all PocketWeb texts that begin like this."
    if lm.knows_whole_words_only:
        return "No PocketWeb text begins like this, so there is no truth to show."
    return ""


def _text_html(view):
    """The text as the model sees it: the blanks numbered, in place of each hidden word a bar."""
    parts = iter(visible(view.shown).split(BLANK))
    shown = next(parts) + "".join(f"{blank_html(n)}{part}" for n, part in enumerate(parts, 1))
    hidden = re.sub(r"\S+", lambda word: hidden_html("_" * len(word[0])), visible(view.hidden))
    return f'<p class="lmm-sees" style="{SEES}">{shown}<span aria-hidden="true">{hidden}</span></p>'


def _one_view(lm, view, end):
    page, sentence = _view_html(lm, view, end)
    lines = [f"{view.shown!r} filled by {lm.name}; {sentence}"]
    for number, bars in enumerate(_tables(lm, view), 1):
        lines += [f" blank {number}"] if len(view.blanks) > 1 else []
        lines += bar_lines(bars)
    return Picture(status_html(sentence) + page, "\n".join(lines))


class FillMaskExplorer(ModelExplorer):
    """A masked language model with a text to edit, and a slider that reveals the right side.

    The controls are attributes, so that a cell can move them: `text`, `model`, `targets` (words
    with commas between them), `right_words`, `show_code`. What changes are `bars`, for each blank
    in the text, and `status`, each a `widgets.HTML`.

    Raises:
        ValueError, TypeError: what `fill_mask` would refuse. Later on, such sentences stand in
            `status`.

    Example:
        >>> explorer = FillMaskExplorer(load_masked_lm("pocket-bert"), "The [MASK] sat on the mat.")
        >>> explorer.right_words.value = 1
        >>> "1 of 5 words to the right shown" in explorer.status.value
        True
    """

    def __init__(self, lm, text="The [MASK] sat on the mat.", targets=None):
        self._views = _views(lm, text, targets)
        super().__init__(f"A text with blanks and a slider on {lm.name}")
        model = self._offer(lm, MASKED_MODELS)
        box = widgets.Textarea(text, description="text", rows=2, continuous_update=False)
        self.text = sized(box, "auto")
        words = ", ".join(targets or ())
        self.targets = sized(widgets.Text(words, description="targets"), "330px")
        self.targets.placeholder = "such as cat, dog, then Enter"
        self.targets.continuous_update = False
        self.right_words = widgets.BoundedIntText(description="right words")
        self._slider = widgets.IntSlider()
        self.bars, self._code.rows = widgets.HTML(), 12
        self.children = [
            self.text,
            row(model, self.targets),
            row(labelled(self.right_words, self._slider, int)),
            self.status,
            self.bars,
            row(self.show_code),
            self._code,
        ]
        for control in (self.text, self.targets):
            control.observe(self._take_over, names="value")
        self._draw_on(self.right_words)
        self._reveal_all()
        last = len(self._views) - 1
        places = sorted({0, last // 2, last})
        self.still = self._pictured([_one_view(lm, self._views[n], self._end) for n in places])

    def code(self):
        """The plain transformers script that gives the numbers of the bars."""
        view, tokenizer = self._views[self.right_words.value], self.lm.tokenizer
        ids = {candidate.token_id for candidates in view.blanks for candidate in candidates}
        targets = tokenizer.convert_ids_to_tokens(sorted(ids)) if self._words() else None
        text = view.shown.replace(BLANK, tokenizer.mask_token)
        return fill_script(self.lm, text, CANDIDATES_SHOWN, targets, several=len(view.blanks) > 1)

    def _words(self):
        return [word.strip() for word in self.targets.value.split(",") if word.strip()] or None

    def _load(self, name):
        return load_masked_lm(name)

    def _take_over(self, _=None):
        """Ask the model about the text as it stands now, at every length of its right context."""
        self._views = []  # and it stays so if the text cannot be read
        with self._errors_on_page(self.bars):
            self._views = _views(self.lm, self.text.value, self._words())
            self._reveal_all()

    def _reveal_all(self):
        self._end = _axis(self.lm, self._views)
        last, self.right_words.value = len(self._views) - 1, 0  # a position that every text has
        self._slider.max, self._slider.disabled = max(1, last), not last  # it needs two positions
        self.right_words.max = last
        self.right_words.value = last
        self._draw()

    def _show(self):
        if not self._views:
            return None
        view = self._views[self.right_words.value]
        self.bars.value, sentence = _view_html(self.lm, view, self._end)
        return sentence, never_seen(self.lm, self.text.value)
