"""The same answers under several rulers: a switch changes the picture, the answers stay.

The rows are those of `helpers.lab.tables.read("abilities")`. There a model was asked once for each
ability, and every ruler measured those stored answers. Moving the switch picks rows; it asks no
model.
"""

import ipywidgets as widgets

from helpers._plumbing.words import shown
from helpers.charts import line_chart
from helpers.explorers._explorer import Explorer
from helpers.lab.abilities import RULERS

SAYS = {
    "exact match": "share of the answers that are right to the last token",
    "edit distance": "tokens to change until an answer is right; the axis is turned over",
    "token probability": "probability that a right token gets",
    "Brier score": "squared distance from the truth; the axis is turned over",
}


def _lines(table, ruler, x):
    """{ability: the rows measured with this ruler}, in the order of x."""
    if ruler not in SAYS:
        raise ValueError(f"The ruler must be one of {', '.join(RULERS)}, not {ruler!r}.")
    if x not in table:
        raise ValueError(f"The table has no column {shown(x)}. Its columns: {', '.join(table)}.")
    chosen = table[table.ruler == ruler].sort_values(x)
    return dict(iter(chosen.groupby("ability", sort=False)))


def _sentence(table, ruler, x):
    lines = _lines(table, ruler, x)
    means = {ability: line["mean"].to_numpy() for ability, line in lines.items()}
    ends = (f"{ability} from {of[0]:.2f} to {of[-1]:.2f}" for ability, of in means.items())
    error = max(line.standard_error.max() for line in lines.values())
    return f"{ruler}: {', '.join(ends)}; standard errors up to {error:.2f}."


def ruler_picture(table, ruler, x="n_body_params", x_label="parameters without embeddings"):
    """One line for each ability, measured with a ruler: a `Picture`. Up is always better.

    Args:
        table: a data frame with ability, ruler, mean, standard_error and what `x` names.
        ruler: one of `helpers.lab.abilities.RULERS`.
        x, x_label: the column for the horizontal axis, which is logarithmic, and what is written
            below it.

    Raises:
        ValueError: for another ruler or column, or if no row is left.

    Example:
        >>> from helpers.lab import tables
        >>> answers = tables.read("abilities").query("objective == 'causal' and tokens > 3e6")
        >>> ruler_picture(answers, "exact match").text[:26]
        'Line chart of exact match:'
    """
    lines = {ability: (part[x], part["mean"]) for ability, part in _lines(table, ruler, x).items()}
    worst = 1.03 * max([1.0, *(means.max() for _, means in lines.values())])
    limits = (worst, -0.03) if "turned over" in SAYS[ruler] else (-0.03, worst)
    return line_chart(lines, x_label, f"{ruler}: {SAYS[ruler]}", log_x=True, y_limits=limits)


class RulerExplorer(Explorer):
    """A switch between rulers over one set of stored answers.

    `ruler` is the switch, which a cell may move; `view` and `status` are the `widgets.HTML` that
    follow it. The Tab key leads to the buttons, the space bar presses one.

    Raises:
        ValueError: what `ruler_picture` would refuse.

    Example:
        >>> from helpers.lab import tables
        >>> answers = tables.read("abilities").query("objective == 'causal' and tokens > 3e6")
        >>> explorer = RulerExplorer(answers)
        >>> explorer.ruler.value = "edit distance"
        >>> "edit distance: sums of 1 digit from" in explorer.status.value
        True
    """

    def __init__(self, table, x="n_body_params", x_label="parameters without embeddings"):
        super().__init__("A switch between four rulers")
        self._pictures = {ruler: ruler_picture(table, ruler, x, x_label) for ruler in RULERS}
        self._sentences = {ruler: _sentence(table, ruler, x) for ruler in RULERS}
        style = {"button_width": "auto"}
        self.ruler = widgets.ToggleButtons(options=list(RULERS), description="ruler", style=style)
        self.view = widgets.HTML()
        self.children = [self.ruler, self.status, self.view]
        self._draw_on(self.ruler)
        self._draw()
        self.still = self._pictured(self._pictures.values(), basis=340)

    def _show(self):
        self.view.value = self._pictures[self.ruler.value].html
        return (self._sentences[self.ruler.value],)
