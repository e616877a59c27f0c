"""Pictures that everybody can read: a figure, or texts, and the sentence that says what is there.

A `Picture` carries HTML, a PNG where there is one, and plain text, and each front end shows the
best that it can. The sentence is computed from the data, so that it cannot drift from the figure.
Colour is never the only sign: lines also differ in marker and dash, and repeated words are
underlined. Left out: pyplot, whose figures stay open until they are closed.
"""

import base64
import html
import io
import itertools
import re
from numbers import Real

import ipywidgets as widgets
from IPython.display import display
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from helpers._plumbing.words import plain_number, repeated, visible

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")  # Okabe and Ito
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", "--", "-.", (0, (1, 1.2)), (0, (5, 1, 1, 1, 1, 1)), (0, (8, 3)))
INK, FAINT = "#222222", "#767676"
PADDING = 0.15  # inches around a figure


class Picture:
    """HTML with a plain-text alternative, and a PNG where there is one.

    The last line of a cell shows it.

    Example:
        >>> Picture("<b>7</b>", "seven")
        <figure: seven>
    """

    def __init__(self, html, text, png=None):
        self.html, self.text, self.png = html, text, png

    def __repr__(self):
        return f"<figure: {self.text}>"

    def _repr_mimebundle_(self, include=None, exclude=None):
        data = {"text/html": self.html, "text/plain": repr(self)}
        if self.png is not None:
            data["image/png"] = base64.b64encode(self.png).decode()
        return data


def describe(fig, alt):
    """Turn a matplotlib figure into a picture with a text alternative, white in any theme.

    Example:
        >>> describe(Figure(), "an empty figure")
        <figure: an empty figure>
    """
    file = io.BytesIO()
    look = {"bbox_inches": "tight", "pad_inches": PADDING, "facecolor": "white"}
    fig.savefig(file, format="png", dpi=144, **look)
    data, width = base64.b64encode(file.getvalue()).decode(), round(fig.get_figwidth() * 96)
    image = (
        f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{data}" width="{width}" '
        f'style="max-width:100%;height:auto;background:#fff;border-radius:6px">'
    )
    return Picture(image, alt, file.getvalue())


def line_chart(
    series,
    x_label,
    y_label,
    floor=None,
    floor_label="floor",
    log_x=False,
    log_y=False,
    y_limits=None,
):
    """Draw one line for each series, labelled at its end, and a level that no line can pass.

    Args:
        series: {label: (xs, ys)}, numbers in any sequence or column of a data frame.
        floor: a level in the units of y, drawn as a dotted line with `floor_label`.
        y_limits: lowest and highest y shown; by default what the data need.

    Raises:
        ValueError: no series, or one without points or with xs and ys of different lengths; a
            logarithmic axis and a number that is not above 0.
        TypeError: what is not a number.

    Example:
        >>> line_chart({"loss": ([0, 9], [3.0, 1.0])}, "steps", "nats")
        <figure: Line chart of nats against steps. loss: from 3 at 0 to 1 at 9.>
    """
    series = _plain_series(series, log_x, log_y)
    if floor is not None:
        _plain_series({floor_label: ([1], [floor])}, log_x, log_y)
    fig = Figure(figsize=(7.2, 4.0))
    ax = fig.add_subplot()
    styles = zip(*map(itertools.cycle, (COLOURS, MARKERS, DASHES)), strict=False)
    ends = []
    for (label, (xs, ys)), (colour, marker, dash) in zip(series.items(), styles, strict=False):
        line = {"color": colour, "linestyle": dash, "linewidth": 2, "marker": marker}
        edge = {"markersize": 5, "markeredgecolor": "white", "markeredgewidth": 0.7}
        ax.plot(xs, ys, markevery=max(1, len(xs) // 12), **line, **edge)
        ends.append((xs[-1], ys[-1], label, colour))
    if floor is not None:
        ax.axhline(floor, color=INK, linestyle=":", linewidth=1.6)
        start = {"xycoords": ax.get_yaxis_transform(), "xytext": (4, 3)}
        look = {"textcoords": "offset points", "color": INK, "fontsize": 9}
        ax.annotate(floor_label, (0, floor), **start, **look)
    scales = ["log" if log else "linear" for log in (log_x, log_y)]
    ax.set(xscale=scales[0], yscale=scales[1], ylim=y_limits)
    for axis in [axis for axis, log in ((ax.xaxis, log_x), (ax.yaxis, log_y)) if log]:
        number_plainly(axis)
    clean(ax, x_label, y_label)
    label_ends(ax, ends)
    return describe(fig, _described(series, x_label, y_label, floor, floor_label))


def _plain_series(series, *log_axes):
    """The series with their points as lists of plain numbers."""
    if not isinstance(series, dict) or not series:
        raise ValueError("There is nothing to draw. Give at least one series: {label: (xs, ys)}.")
    plain = {}
    for label, points in series.items():
        xs, ys = plain[label] = [
            [plain_number(v, f"A point of {label!r}", Real) for v in axis] for axis in points
        ]
        if not xs or len(xs) != len(ys):
            found = f"The series {label!r} has {len(xs)} xs and {len(ys)} ys"
            raise ValueError(f"{found}: give as many, at least one.")
        for values, log in zip((xs, ys), log_axes, strict=True):
            if log and min(values) <= 0:
                raise ValueError(
                    f"{label!r} has a point at {min(values):g}: a logarithmic axis has no place "
                    "for what is not above 0."
                )
    return plain


def number_plainly(axis):
    """Ticks of a logarithmic axis: plain numbers as long as anybody can read them."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1000 * low else (1,)))
    plain = FuncFormatter(lambda value, _: f"{value:,.10g}" if value < 1e7 else f"{value:.0e}")
    axis.set_major_formatter(plain)
    axis.set_minor_formatter(NullFormatter())


def clean(ax, x_label, y_label):
    """Label the axes of a matplotlib plot, and take away all lines that it does not need."""
    ax.set_xlabel(x_label, color=INK)
    # Read from left to right, unlike a turned label
    ax.set_title(y_label, loc="left", fontsize=10, color=INK)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(FAINT)
    ax.tick_params(colors=FAINT, labelcolor=INK, labelsize=9)
    ax.grid(axis="y", color="#e4e4e4", linewidth=0.8)
    ax.set_axisbelow(True)


def label_ends(ax, labels):
    """Write each (x, y, label, colour) beside that end of a line, above what it would cover."""
    lowest = float("-inf")
    for x, y, label, colour in sorted(labels, key=lambda end: ax.transData.transform(end[:2])[1]):
        height = ax.transData.transform((x, y))[1] / ax.figure.dpi * 72  # in points
        place = lowest = max(height, lowest + 12)
        where = {"xytext": (8, place - height), "textcoords": "offset points"}
        look = {"va": "center", "color": colour, "fontsize": 9.5, "fontweight": "bold"}
        halo = [withStroke(linewidth=3, foreground="white")]
        ax.annotate(label, (x, y), annotation_clip=False, path_effects=halo, **where, **look)


def _described(series, x_label, y_label, floor, floor_label):
    parts = [f"Line chart of {y_label} against {x_label}."]
    for label, (xs, ys) in series.items():
        text = f"{label}: from {ys[0]:.3g} at {xs[0]:.4g} to {ys[-1]:.3g} at {xs[-1]:.4g}"
        for name, extreme in (("lowest", min(ys)), ("highest", max(ys))):
            if extreme not in (ys[0], ys[-1]):
                text += f", {name} {extreme:.3g} at {xs[list(ys).index(extreme)]:.4g}"
        parts.append(text + ".")
    if floor is not None:
        parts.append(f"Dotted level, {floor_label}: {floor:.3g}.")
    return " ".join(parts)


def text_cards(prompt, texts, repeats=False):
    """Texts that a model wrote, side by side, with the prompt in bold: a `Picture`.

    A text of `generate_text` that the model did not end is called cut.

    Args:
        prompt: what was typed; all texts begin with it.
        texts: {label, such as the settings: text}.
        repeats: colour and underline the words of every run of four that came before in the same
            text, and write their share beside the label.

    Raises:
        ValueError: a text that does not begin with the prompt.

    Example:
        >>> text_cards("The cat", {"seed 0": "The cat sat."})
        <figure: seed 0: The cat sat.>
    """
    cards, lines = "", []
    for label, text in texts.items():
        if not text.startswith(prompt):
            raise ValueError(f"The text {label!r} does not begin with the prompt {prompt!r}.")
        new, again = text[len(prompt) :], repeated(text) if repeats else []
        label += f" · {sum(again) / max(1, len(again)):.0%} of the words repeated" * repeats
        after = _underlined(new, again) if repeats else _on_the_page(new)
        cut = "" if getattr(text, "ended", True) else " … (cut here)"
        cards += _CARD.format(visible(label), _on_the_page(prompt), after, cut)
        lines.append(f"{label}: {text}{cut}")
    return Picture(f'<div style="{_CARDS}">{cards}</div>', "\n".join(lines))


_CARDS = "display:flex;flex-wrap:wrap;gap:8px;max-width:772px;margin:4px"
_CARD = (
    '<div style="flex:1 1 220px;min-width:0;box-sizing:border-box;padding:8px 12px;'
    'border-radius:8px;border:1px solid rgba(128,128,128,.5)">'
    '<div style="font-size:12px;opacity:.8">{}</div>'
    '<p style="margin:0;font-size:14px;line-height:1.5;overflow-wrap:anywhere"><b>{}</b>'
    '<span>{}</span><em style="opacity:.8">{}</em></p></div>'
)


def _on_the_page(text):
    """Text as HTML that keeps its lines and its indents without any style."""
    return visible(text).replace("\n", "<br>").replace("  ", "&nbsp; ")


def _underlined(text, again):
    """Text as HTML; `again` says of its last words which of them repeat what came before."""
    pieces = re.split(r"(\S+)", text)
    flags = again[len(again) - len(pieces) // 2 :]
    for n, flag in enumerate(flags):
        word = _on_the_page(pieces[2 * n + 1])
        pieces[2 * n + 1] = f'<u style="background:rgba(213,94,0,.25)">{word}</u>' if flag else word
    return "".join(piece if n % 2 else _on_the_page(piece) for n, piece in enumerate(pieces))


class LiveView(widgets.VBox):
    """Widgets, and the picture `still` that stands in their place where no kernel runs.

    All live views of `helpers` inherit from it, so that each is shown in the same way.

    Example:
        >>> view = LiveView(Picture("<p>A button</p>", "a button"), [widgets.Button()])
        >>> view._ipython_display_()  # doctest: +ELLIPSIS
        {'text/html': '<p>A button</p>', ...}
    """

    def __init__(self, still, children=(), **layout):
        self.still = still
        super().__init__(children, **layout)

    def _ipython_display_(self, **_):
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        data = self.still._repr_mimebundle_()
        display(data | {"application/vnd.jupyter.widget-view+json": view}, raw=True)
