"""How often a whole answer is right, if each of its tokens is right with probability p."""

import ipywidgets as widgets

from helpers.charts import Picture
from helpers.explorers._bars import Bar, bar_lines, bars_html, headed
from helpers.explorers._controls import labelled, row
from helpers.explorers._explorer import Explorer


class PowerExplorer(Explorer):
    """Sliders for p and L, over p to the power of L.

    `percent` and `length` are the number boxes that lead the sliders: p in per cent, and L in
    tokens. The first bar is that of p, the others show models that are better and better.

    Example:
        >>> explorer = PowerExplorer()
        >>> explorer.percent.value, explorer.length.value = 50, 2
        >>> "25.0 % of the answers of 2 tokens" in explorer.status.value
        True
    """

    def __init__(self):
        super().__init__("Sliders for the probability of a token and the length of an answer")
        self.percent = widgets.BoundedIntText(80, min=0, max=100, description="token, %")
        self.length = widgets.BoundedIntText(1, min=1, max=20, description="tokens")
        self.view = widgets.HTML()
        boxes = (self.percent, widgets.IntSlider(80)), (self.length, widgets.IntSlider(1, 1, 20))
        self._draw_on(self.percent, self.length)
        sliders = row(*(labelled(box, slider, int) for box, slider in boxes))
        self.children = [sliders, self.status, self.view]
        self._draw()
        self.still = self._pictured([headed(*self._page(80, length)) for length in (1, 3, 6)])

    def _show(self):
        sentence, picture = self._page(self.percent.value, self.length.value)
        self.view.value = picture.html
        return (sentence,)

    def _page(self, percent, length):
        bars = [
            Bar(f"{'your ' * (n == 0)}{p} % a token", (p / 100) ** length, is_token=False)
            for n, p in enumerate((percent, *range(10, 101, 10)))
        ]
        whole = f"{100 * bars[0].probability:.1f} % of the answers"
        said = f"At {percent} % a token, {whole} of {length} token{'s' * (length > 1)} are right."
        picture = bars_html(bars, "Whole answers that are right.", end=100)
        return said, Picture(picture, "\n".join(bar_lines(bars)))
