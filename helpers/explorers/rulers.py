"""The same answers under several rulers: a switch changes the picture, the answers stay.

The rows are those of `helpers.lab.tables.read("abilities")`. There a model was asked once for each
ability, and every ruler measured those stored answers. Moving the switch picks rows; it asks no
model.
"""

import ipywidgets as widgets

from helpers.charts import line_chart
from helpers.explorers._explorer import Explorer
from helpers.lab.abilities import RULERS

SAYS = {
    "exact match": "share of the answers that are right to the last token",
    "edit distance": "tokens to change until an answer is right; the axis is turned over",
    "token probability": "probability that a right token gets",
    "Brier score": "squared distance from the truth; the axis is turned over",
}


def _lines(rows, ruler, x):
    """{ability: [(x, mean, standard error)]}, in the order of x."""
    if ruler not in SAYS:
        raise ValueError(f"The ruler must be one of {', '.join(RULERS)}, not {ruler!r}.")
    lines = {}
    for row in sorted(rows, key=lambda row: row[x]):
        if row["ruler"] == ruler:
            lines.setdefault(row["ability"], []).append(
                (row[x], row["mean"], row["standard_error"])
            )
    return lines


def _sentence(rows, ruler, x):
    lines = _lines(rows, ruler, x)
    ends = (
        f"{ability} from {line[0][1]:.2f} to {line[-1][1]:.2f}" for ability, line in lines.items()
    )
    error = max(error for line in lines.values() for _, _, error in line)
    return f"{ruler}: {', '.join(ends)}; standard errors up to {error:.2f}."


def ruler_picture(rows, ruler, x="n_body_params", x_label="parameters without embeddings"):
    """One line for each ability, measured with a ruler: a `Picture`. Up is always better.

    Args:
        rows: dicts with ability, ruler, mean, standard_error and what `x` names.
        ruler: one of `helpers.lab.abilities.RULERS`.
        x, x_label: the key for the horizontal axis, which is logarithmic, and what is written below
            it.

    Raises:
        ValueError: for another ruler, or if no row is left.

    Example:
        >>> row = {"ability": "sums", "mean": 0.5, "standard_error": 0.1, "size": 7}
        >>> rows = [{**row, "ruler": "exact match"}]
        >>> ruler_picture(rows, "exact match", "size", "size").text[:26]
        'Line chart of exact match:'
    """
    lines = {
        ability: list(zip(*line, strict=True))[:2]
        for ability, line in _lines(rows, ruler, x).items()
    }
    worst = 1.03 * max([1.0, *(mean for _, means in lines.values() for mean in means)])
    limits = (worst, -0.03) if "turned over" in SAYS[ruler] else (-0.03, worst)
    return line_chart(lines, x_label, f"{ruler}: {SAYS[ruler]}", log_x=True, y_limits=limits)


class RulerExplorer(Explorer):
    """A switch between rulers over one set of stored answers.

    `ruler` is the switch, which a cell may move; `view` and `status` are the `widgets.HTML` that
    follow it. The Tab key leads to the buttons, the space bar presses one.

    Raises:
        ValueError: what `ruler_picture` would refuse.

    Example:
        >>> row = {"ability": "sums", "mean": 0.5, "standard_error": 0.1, "size": 7}
        >>> rows = [{**row, "ruler": ruler} for ruler in RULERS]
        >>> explorer = RulerExplorer(rows, "size", "size")
        >>> explorer.ruler.value = "edit distance"
        >>> "edit distance: sums from 0.50" in explorer.status.value
        True
    """

    def __init__(self, rows, x="n_body_params", x_label="parameters without embeddings"):
        super().__init__("A switch between four rulers")
        self._pictures = {ruler: ruler_picture(rows, ruler, x, x_label).html for ruler in RULERS}
        self._sentences = {ruler: _sentence(rows, ruler, x) for ruler in RULERS}
        style = {"button_width": "auto"}
        self.ruler = widgets.ToggleButtons(options=list(RULERS), description="ruler", style=style)
        self.view = widgets.HTML()
        self.children = [self.ruler, self.status, self.view]
        self._draw_on(self.ruler)
        self._draw()

    def _show(self):
        self.view.value = self._pictures[self.ruler.value]
        return (self._sentences[self.ruler.value],)
