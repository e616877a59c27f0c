"""A page with blanks, and a masked language model that fills them round after round.

All pages are filled when the view is built, for every number of blanks, order and number of tokens
a round; the sliders only pick one of them and one of its rounds.
"""

import itertools

import ipywidgets as widgets

from helpers._plumbing.checks import check_text
from helpers._plumbing.words import visible
from helpers.charts import Picture
from helpers.explorers._bars import SEES, blank_html, headed
from helpers.explorers._controls import labelled, row
from helpers.explorers._explorer import Explorer
from helpers.lab.filling import ORDERS, Page, fill_pages, possible_tokens, with_blanks

BY_MODEL = '<u style="background:rgba(0,114,178,.25)">{}</u>'
LONGEST = 40  # tokens: all of its settings are filled at once
CROSS = " <b>✗</b>"  # in front of the first token that no document can have there


class PageFiller(Explorer):
    """A masked pocket model that fills the blanks of a PocketWeb text, round after round.

    The controls are attributes: `hidden` (tokens of the text that are blanks at first), `per_round`
    (tokens that are filled in a round), `order` and `round`. `view` and `status` are the
    `widgets.HTML` that follow them.

    Raises:
        ValueError, TypeError: a text of more than 40 tokens, or with words that PocketWeb lacks;
            what `fill_mask` would refuse.

    Example:
        >>> from helpers.models import load_masked_lm
        >>> filler = PageFiller(load_masked_lm("pocket-bert"), "The cat sat on the mat.")
        >>> filler.round.value = 0
        >>> "Blanks left: 4." in filler.status.value
        True
    """

    def __init__(self, lm, text, seed=0):
        super().__init__(f"Sliders for how {lm.name} fills a page")
        check_text(lm, text, "masked")
        n, pages = possible_tokens(text)[1], {}
        if n > LONGEST or lm.unknown_words(text):
            such = f"at most {LONGEST} of PocketWeb's words and signs, such as a short answer"
            raise ValueError(f"The text has {n:,} tokens, or new words. Take {such}.")
        for hidden, order in itertools.product(range(1, n + 1), ORDERS):
            ids = with_blanks(lm, text, hidden, seed)
            for per_round in range(1, hidden + 1):
                pages[hidden, order, per_round] = Page(ids, order, per_round, seed)
        filled = fill_pages(lm, list(pages.values()))
        self._lm, self._filled = lm, dict(zip(pages, filled, strict=True))
        self.hidden, hide = _number((n + 1) // 2, 1, n, "hide tokens")
        self.per_round, each = _number(1, 1, n, "a round")
        self.round, self._progress = _number(0, 0, n, "round")
        self.order = widgets.ToggleButtons(options=list(ORDERS), description="order")
        self.view = widgets.HTML()
        self.children = [row(hide, each), self.order, self._progress, self.status, self.view]
        for control in (self.hidden, self.per_round, self.order):
            control.observe(self._begin, names="value")
        self._draw_on(self.round)
        self._begin()
        one, all_at_once = ((self.hidden.value, ORDERS[0], k) for k in (1, self.hidden.value))
        shown = [self._page(*which) for which in ((one, 0), (one, -1), (all_at_once, -1))]
        self.still = self._pictured([headed(*page) for page in shown])

    def _setting(self):
        return self.hidden.value, self.order.value, self.per_round.value

    def _rounds(self, setting):
        hidden, order, per_round = setting
        return self._filled[hidden, order, min(per_round, hidden)]

    def _begin(self, _=None):
        """Show the page of a new setting when all is filled."""
        last = len(self._rounds(self._setting())) - 1
        for control in (self.round, self._progress.children[1]):
            control.max = last
        self.round.value = last
        self._draw()

    def _show(self):
        sentence, picture = self._page(self._setting(), self.round.value)
        self.view.value = picture.html
        return (sentence,)

    def _page(self, setting, number):
        """The sentence about the page after some rounds of a setting, and the page."""
        rounds, (hidden, order, per_round) = self._rounds(setting), setting
        number %= len(rounds)
        ids, blank = rounds[number], self._lm.tokenizer.mask_token_id
        tokens, left = [self._lm.vocabulary[token] for token in ids[1:]], ids.count(blank)
        reached, n = possible_tokens("".join(tokens)) if not left else (len(ids), len(tokens))
        page, first = "", rounds[0][1:]
        for place, token in enumerate(tokens[:-1]):
            word = " " + blank_html("?") if ids[place + 1] == blank else visible(token)
            page += "" if place != reached else CROSS
            page += BY_MODEL.format(word) if first[place] == blank != ids[place + 1] else word
        page += "" if reached != n - 1 else CROSS
        result = f"Blanks left: {left}." if left else "A possible text."
        if reached < n:
            result = f"Not a possible text. Its first {reached} tokens are a possible beginning."
        setting = f"{hidden} tokens hidden, {order}, {per_round} a round"
        sentence = f"{setting}. Round {number} of {len(rounds) - 1}: {result}"
        picture = Picture(f'<p class="lmm-sees" style="{SEES}">{page}</p>', "".join(tokens[:-1]))
        return sentence, picture


def _number(value, low, high, label):
    """A labelled number box, and the row of it and its slider."""
    box = widgets.BoundedIntText(value, min=low, max=high, description=label)
    return box, labelled(box, widgets.IntSlider(value, min=low, max=high), int)
