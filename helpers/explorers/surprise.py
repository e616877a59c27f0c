"""Surprise, coloured: what a model is surprised by in a text, above what nobody can avoid.

The models read a text when it changes; the controls only pick among what they said.
"""

import math
from typing import NamedTuple

import ipywidgets as widgets
import torch

from helpers._plumbing.checks import encode
from helpers._plumbing.passes import checked_logits
from helpers._plumbing.words import shown, visible
from helpers.charts import Picture
from helpers.explorers._bars import HIDDEN, MODEL, SMALL, headed
from helpers.explorers._controls import labelled, row, sized
from helpers.explorers._explorer import Explorer, never_seen
from helpers.lab import pocketweb

FULL = 3.0  # nats above the unavoidable, or in all where that is unknown, at which a colour is full
ORANGE = "213,94,0"
LINES = "max-width:756px;margin:6px 4px;line-height:2.1"
PIXELS = 2  # of the mark below a token for each unavoidable nat


class TokenSurprise(NamedTuple):
    """A token of a text, and the surprise at it in nats."""

    text: str
    nats: float
    unavoidable: float | None  # that of the truth; None where PocketWeb cannot write the text

    @property
    def words(self):
        if self.unavoidable is None:
            return f"{self.nats:.2f} nats"
        above = self.nats - self.unavoidable
        return f"{self.nats:.2f} nats, {self.unavoidable:.2f} unavoidable, {above:+.2f} above"


def token_surprises(lm, text, genres=None):
    """The surprise of a causal model at each token of a text: a list of `TokenSurprise`.

    The surprise is -ln p(token | all tokens before it), in nats. The unavoidable part is that of
    the exact probabilities in a PocketWeb of these genres (all by default), as far as it can write
    the text.
    Errors are those of `generate_text`.

    Example:
        >>> from helpers.models import load_causal_lm
        >>> found = token_surprises(load_causal_lm("pocket-gpt2"), "The baker said that she")
        >>> found[-1].text, round(found[-1].unavoidable, 2)
        (' she', 0.22)
    """
    ids = encode(lm, text)  # [1, n_tokens]
    with torch.no_grad():
        logits = checked_logits(lm, lm.model(ids).logits[0, :-1])  # [n_tokens - 1, vocab]
    nats = -logits.log_softmax(-1).gather(-1, ids[0, 1:, None])[:, 0]
    marks = {"return_offsets_mapping": True, "verbose": False}
    spans = lm.tokenizer(text, **marks)["offset_mapping"][1:]
    found, before = [], 0.0 if lm.knows_whole_words_only else -math.inf
    for (start, end), surprise in zip(spans, nats.tolist(), strict=True):
        now = pocketweb.log_prob(text[:end], genres) if before > -math.inf else before
        unavoidable = before - now if now > -math.inf else None
        found.append(TokenSurprise(text[start:end], surprise, unavoidable))
        before = now
    return found


def _coloured(tokens, chosen):
    """The tokens as HTML: colours, marks, numbers for the mouse and for pages without styles."""
    pieces = ""
    for place, (token, nats, unavoidable) in enumerate(tokens):
        above, colour = nats - (unavoidable or 0), "128,128,128" if unavoidable is None else ORANGE
        look = f"background:rgba({colour},{0.7 * min(1, max(0, above) / FULL):.2f})"
        look += f";border-bottom:{PIXELS * (unavoidable or 0):.1f}px solid {MODEL}"
        look += ";outline:2px solid" if place == chosen else ""
        words, sign = tokens[place].words, visible(token.strip(" "), keep="") or "·"
        numbers = HIDDEN.format(f" ({words}) ")
        pieces += " " * token.startswith(" ")
        pieces += f'<span title="{words}" style="{look}">{sign}{numbers}</span>'
        pieces += "<br>" if token == "\n" else ""
    return f'<p style="{LINES}">{pieces}</p>'


def _sum(tokens):
    """A sentence about the whole text."""
    nats = sum(token.nats for token in tokens)
    said = f"The whole text: {nats:.1f} nats of surprise at {len(tokens)} tokens"
    if None in (known := [token.unavoidable for token in tokens]):
        rest = "".join(token.text for token in tokens[known.index(None) :])
        where = f"from {visible(rest.strip()[:20])!r} on"
        return f"{said}. PocketWeb cannot write it: {where}, grey is all of the surprise."
    return f"{said}, {sum(known):.1f} of them unavoidable, {nats - sum(known):.1f} above."


def _note(tokens):
    return f'<div style="margin:4px;{SMALL}">{_sum(tokens)}</div>'


class SurpriseExplorer(Explorer):
    """A text, coloured by how much more it surprises a causal model than the truth.

    Orange is what the model is surprised above the unavoidable, the blue line below a token the
    unavoidable; where PocketWeb cannot write the text, grey is the plain surprise. `text`, `model`
    and `number`, the box of the token whose numbers are read out, are the controls; `view` and
    `status` the `widgets.HTML` that follow them.

    Args:
        lms: {label: causal model}, the same text for each.
        genres: those that the models have read; all by default.

    Raises:
        ValueError, TypeError: what `generate_text` would refuse of the text, or no models. Later
            on, such sentences stand in `status`.

    Example:
        >>> from helpers.models import load_causal_lm
        >>> lms = {"pocket-gpt2": load_causal_lm("pocket-gpt2")}
        >>> explorer = SurpriseExplorer(lms, "The baker said that she would be back soon.")
        >>> explorer.number.value = 5
        >>> "0.22 unavoidable" in explorer.status.value
        True
    """

    def __init__(self, lms, text, genres=None):
        if not isinstance(lms, dict) or not lms:
            raise TypeError(f"Give the models as {{label: model}}, at least one, not {shown(lms)}.")
        super().__init__("A text, coloured by how much each token surprises a model")
        self._lms, self._genres = lms, genres
        self.text = sized(widgets.Textarea(text, description="text", rows=3), "auto")
        self.text.continuous_update = False
        self.model = sized(widgets.Dropdown(options=list(lms), description="model"), "250px")
        self.number = widgets.BoundedIntText(1, min=1, max=1, description="token")
        self._slider, self.view = widgets.IntSlider(1, min=1, max=2), widgets.HTML()
        controls = row(self.model, labelled(self.number, self._slider, int))
        self.children = [self.text, controls, self.status, self.view]
        self._read(text)
        self._draw_on(self.model, self.number)
        self.text.observe(self._read_again, names="value")
        self._draw()
        self.still = self._pictured([self._picture(label) for label in lms])

    def _read(self, text):
        """Let every model read the text."""
        found = [token_surprises(lm, text, self._genres) for lm in self._lms.values()]
        self._found, n_tokens = dict(zip(self._lms, found, strict=True)), len(found[0])
        self._unknown = never_seen(next(iter(self._lms.values())), text)
        self._slider.max, self._slider.disabled = max(2, n_tokens), n_tokens < 2
        self.number.max = n_tokens

    def _read_again(self, change):
        with self._errors_on_page(self.view):
            self._read(change["new"])
            self._draw()

    def _show(self):
        tokens, chosen = self._found[self.model.value], self.number.value - 1
        self.view.value = _coloured(tokens, chosen) + _note(tokens)
        token, where = tokens[chosen], f"{self.model.value}, token {chosen + 1}"
        return f"{where}, {token.text!r}: {token.words}.", self._unknown

    def _picture(self, label):
        tokens = self._found[label]
        listed = (f"  {token.text!r} {token.words}" for token in tokens)
        page = _coloured(tokens, -1) + _note(tokens)
        return headed(label, Picture(page, "\n".join([_sum(tokens), *listed])))
