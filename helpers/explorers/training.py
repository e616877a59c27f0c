"""Scrub through a training: what a GPT and a BERT said at each saved step, beside the truth.

All that the slider shows is made when the view is built; moving it runs no model.
"""

from typing import NamedTuple

import ipywidgets as widgets

from helpers.charts import Picture, text_cards
from helpers.explorers._bars import Bar, axis_end, bar_lines, bars_html, headed, side_by_side
from helpers.explorers._controls import labelled, row
from helpers.explorers._explorer import Explorer
from helpers.fill_mask import BLANK, fill_mask
from helpers.generation import generate_text, next_token_probabilities
from helpers.lab import pocketweb

TOKENS = 6  # of the truth, each with a bar
WRITTEN = {"max_new_tokens": 24, "temperature": 0.8, "seed": 1}


class Moment(NamedTuple):
    """What a model said at a saved step."""

    heading: str  # which model, when, and its loss on the texts of the next step
    text: object  # Picture of the prompt with what the model added, or put into the blank
    bars: list  # of Bar
    others: str  # what is left for all other tokens
    said: str  # the text alone


def _continued(lm, prompt, _):
    """What a causal model adds to a prompt, and the probability of each next token."""
    chances = {one.token: one.probability for one in next_token_probabilities(lm, prompt)}
    text = generate_text(lm, prompt, **WRITTEN)
    return text, text_cards(prompt, {"it writes": text}), chances


def _with_word(lm, text, tokens):
    """A masked model's likeliest word for the blank, and the probability of each of the tokens."""
    words = {token.strip(): token for token in tokens}
    found = fill_mask(lm, text, len(words), list(words))
    chances = {words[one.token]: one.probability for one in found}
    before, after = text.split(BLANK)
    filled = f"{before}{fill_mask(lm, text, top_k=1)[0].token}{after}"
    return filled, text_cards(before, {"it fills in its likeliest word": filled}), chances


def _bars(chances, truth):
    """The likeliest tokens of the truth as bars, and a sentence about all others."""
    bars = [Bar(token, chances[token], truth=truth[token]) for token in list(truth)[:TOKENS]]
    others, true = 1 - sum(bar.probability for bar in bars), 1 - sum(bar.truth for bar in bars)
    return bars, f"All other tokens: {max(0, others):.1%}; truth {max(0, true):.1%}."


def _moments(name, training, text):
    """A Moment for each model that a training kept."""
    causal = name == "GPT"
    ask, known = (_continued, pocketweb.next_token) if causal else (_with_word, pocketweb.blank)
    truth, moments = known(text, training.genres), []
    if not truth:
        raise ValueError(f"PocketWeb cannot write {text!r} in the genres that the {name} reads.")
    for step, lm in training.models.items():
        said, card, chances = ask(lm, text, list(truth)[:TOKENS])
        loss = training.history[min(step, len(training.history) - 1)]["loss"]
        heading = f"{name} after {step:,} step{'s' * (step != 1)}, loss {loss:.2f} nats"
        moments.append(Moment(heading, card, *_bars(chances, truth), said))
    return moments


class TrainingExplorer(Explorer):
    """One slider over the saved steps of two trainings, of a GPT and of a BERT.

    `number` is the box that leads the slider: 1 is the first saved step. `view` and `status` are
    the `widgets.HTML` that follow it. The GPT goes on from the prompt, the BERT fills the blank;
    the truth is that of the genres that each has read.

    Args:
        gpt, bert: `helpers.lab.pretraining.Training`, with as many saved models each.
        prompt, blank: texts that PocketWeb can write, the second with one [MASK].

    Raises:
        ValueError: a text that PocketWeb cannot write, no models, or not as many of both.

    Example:
        >>> from helpers.lab.pretraining import watched
        >>> small = {"steps": 2, "n_layer": 1, "d_model": 16, "n_head": 2, "tokens_per_step": 256}
        >>> gpt, bert = (watched((0, 1), objective=kind, **small) for kind in ("causal", "masked"))
        >>> explorer = TrainingExplorer(gpt, bert, "What is a", "The cat sat on the [MASK].")
        >>> explorer.number.value = 2
        >>> "GPT after 1 step, " in explorer.status.value
        True
    """

    def __init__(self, gpt, bert, prompt, blank):
        kept, other = (len(getattr(training, "models", ())) for training in (gpt, bert))
        if kept != other or not kept:
            raise ValueError(f"The trainings kept {kept} and {other} models. Keep as many of both.")
        super().__init__("A slider over the saved steps of two trainings")
        both = _moments("GPT", gpt, prompt), _moments("BERT", bert, blank)
        self._ends = [axis_end(*(moment.bars for moment in moments)) for moments in both]
        self.moments = list(zip(*both, strict=True))
        limits = {"min": 1, "max": len(self.moments)}
        self.number = widgets.BoundedIntText(1, description="saved step", **limits)
        slider = labelled(self.number, widgets.IntSlider(1, **limits), int)
        self.view = widgets.HTML()
        self.children = [row(slider), self.status, self.view]
        self._draw_on(self.number)
        self._draw()
        last = len(self.moments) - 1
        self.still = self._pictured([self._picture(n) for n in (0, last // 2, last)], basis=700)

    def _show(self):
        moments = self.moments[self.number.value - 1]
        shown = zip(moments, self._ends, strict=True)
        self.view.value = side_by_side([_moment_html(*one) for one in shown])
        return (". ".join(f"{moment.heading}: {moment.said}" for moment in moments),)

    def _picture(self, n):
        shown = [headed(m.heading, m.text) for m in self.moments[n]]
        pages = [_moment_html(*one) for one in zip(self.moments[n], self._ends, strict=True)]
        bars = [bar_lines(moment.bars) for moment in self.moments[n]]
        both = zip(shown, bars, strict=True)
        lines = [line for one, below in both for line in (one.text, *below)]
        return Picture(side_by_side(pages), "\n".join(lines))


def _moment_html(moment, end):
    return headed(moment.heading, moment.text).html + bars_html(moment.bars, moment.others, end)
