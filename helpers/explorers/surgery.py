"""Surgery on a model of the echo game: cut out what a layer looks at, and see what is left.

Each tick runs the model once.
"""

import ipywidgets as widgets

from helpers.charts import Picture
from helpers.explorers._bars import Bar, bar_lines, bars_html, headed
from helpers.explorers._controls import row
from helpers.explorers._explorer import Explorer
from helpers.lab.echo import LOOKS, surgery


class SurgeryExplorer(Explorer):
    """Boxes for where the two layers of a model of `train_echo` may look.

    `looks` are the boxes, {one of `echo.LOOKS`: a checkbox}, which a cell may set; `view` and
    `status` are the `widgets.HTML` that follow them. The Tab key leads to a box, the space bar
    ticks it.

    Example:
        >>> from helpers.lab.echo import train_echo
        >>> model, _ = train_echo(n_layer=2, steps=0)
        >>> explorer = SurgeryExplorer(model)
        >>> explorer.looks["layer 1, at the word before"].value = False
        >>> "Cut: layer 1, at the word before." in explorer.status.value
        True
    """

    def __init__(self, model):
        super().__init__("Boxes for where a layer of a trained model may look")
        self._model, self.view = model, widgets.HTML()
        layout = {"width": "300px", "max_width": "100%"}
        self.looks = {
            look: widgets.Checkbox(True, description=look, indent=False, layout=layout)
            for look in LOOKS
        }
        self._draw_on(*self.looks.values())
        self.children = [row(*self.looks.values()), self.status, self.view]
        self._draw()
        shown = ((), LOOKS[:1], LOOKS[1::2])
        self.still = self._pictured([headed(*self._page(cut)) for cut in shown], basis=700)

    def _show(self):
        cut = [look for look, box in self.looks.items() if not box.value]
        sentence, picture = self._page(cut)
        self.view.value = picture.html
        return (sentence,)

    def _page(self, cut):
        """What is left after the cut: a sentence, and bars on one axis."""
        left = surgery(self._model, cut)
        bars = [Bar("certain words that are right", left.accuracy, is_token=False)]
        for look in LOOKS[::2]:
            bars.append(Bar(look, left.looks[look], look not in cut, is_token=False))
        right = f"Right: {left.accuracy:.0%} of the certain words"
        caption = "The two lower bars: attention of a layer that goes there."
        picture = Picture(bars_html(bars, caption, end=100), "\n".join(bar_lines(bars)))
        said = f"Cut: {'; '.join(cut) or 'nothing'}. {right}, loss {left.loss:.2f} nats a word."
        return said, picture
