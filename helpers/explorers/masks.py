"""One switch for the attention masks of two models: as causal models are trained, or with none.

Both models answer for all tokens of a text when the view is built, and for many freshly drawn
texts, under both masks; the switch only picks what is known.
"""

import itertools
import math

import ipywidgets as widgets

from helpers.charts import Picture
from helpers.explorers._bars import Bar, bar_lines, bars_html, headed, side_by_side, status_html
from helpers.explorers._explorer import Explorer
from helpers.lab import pocketweb
from helpers.lab.engine import Document
from helpers.lab.masks import MASKS, above_the_floor, every_nth, log_probs_under

SEED = 20_260_102  # of the texts that are drawn


class MaskExplorer(Explorer):
    """A causal and a masked pocket model under a causal mask and under none, and a switch.

    `mask` is the switch, which a cell may move; `view` is the `widgets.HTML` that follows it.
    `above` is {(name of a model, mask): Estimate}, nats per token above the causal floor over the
    drawn texts.

    Raises:
        ValueError: a text with which no PocketWeb document begins.

    Example:
        >>> from helpers.models import load_causal_lm, load_masked_lm
        >>> pair = load_causal_lm("pocket-gpt2"), load_masked_lm("pocket-bert")
        >>> explorer = MaskExplorer(*pair, "The cat sat on the mat.", n_texts=4)
        >>> explorer.mask.value = "no mask"
        >>> "no mask: pocket-gpt2" in explorer.view.value
        True
    """

    def __init__(self, causal, masked, text, n_texts=100):
        super().__init__(f"A switch for the attention mask of {causal.name} and {masked.name}")
        if not pocketweb.is_possible(text):
            raise ValueError(f"PocketWeb has no text that begins with {text!r}. Take one of its.")
        document = Document("", tuple(pocketweb.tokenize(text)))
        exam = every_nth(pocketweb.language().sample(n_texts, SEED), 5)
        self.above, self._pages = {}, {}
        for mask, lm in itertools.product(MASKS, (causal, masked)):
            self.above[lm.name, mask] = above_the_floor(lm, mask, exam)
            self._pages.setdefault(mask, []).append(_panel(lm, mask, document))
        self.mask = widgets.ToggleButtons(options=list(MASKS), description="both get")
        self.view = widgets.HTML()
        self.children = [self.mask, self.view]
        self._draw_on(self.mask)
        self._draw()
        self.still = self._pictured([self._picture(mask) for mask in MASKS], basis=700)

    def _picture(self, mask):
        """What both models say under a mask, below the sentence about the drawn texts."""
        of = {name: at for (name, under), at in self.above.items() if under == mask}
        said = [f"{name} {nats:.2f} ± {error:.2f}" for name, (nats, error) in of.items()]
        sentence = f"{mask}: {', '.join(said)} nats a token above the causal floor."
        page = side_by_side([panel.html for panel in self._pages[mask]])
        text = "\n".join([sentence, *(panel.text for panel in self._pages[mask])])
        return Picture(status_html(sentence) + page, text)

    def _show(self):
        self.view.value = self._picture(self.mask.value).html


def _panel(lm, mask, document):
    """What a model gives each token of a text, beside its exact probability given the left side."""
    places = range(len(document.tokens))
    said = log_probs_under(lm, mask, document, places)
    truth = pocketweb.language().log_probs("causal", document, places)
    numbers = zip(document.tokens, said, truth, strict=True)
    bars = [Bar(token, math.exp(p), truth=math.exp(exact)) for token, p, exact in numbers]
    return headed(lm.name, Picture(bars_html(bars, end=100), "\n".join(bar_lines(bars))))
