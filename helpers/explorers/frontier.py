"""A plane of settings, sense against variety: point at a mark, or move a ring from mark to mark.

The plane is drawn once. Over it lie spots that answer to the mouse, and the ring.
"""

import ipywidgets as widgets
from matplotlib.figure import Figure

from helpers import charts
from helpers._plumbing.words import visible
from helpers.explorers._explorer import Explorer
from helpers.lab.frontier import beaten_by
from helpers.lab.pocketweb import is_possible

X, Y = "mean entropy of what is drawn from, nats per token", "possible texts, %"
LEAST = 0.01  # nats; a logarithmic axis has no place for 0
SPOT = '<span title="{}" style="position:absolute;left:{:.2f}%;top:{:.2f}%;{}"></span>'
AREA = "width:14px;height:14px;margin:-7px;border-radius:50%"
RING = "padding:8px;margin:-11px;border:3px solid #222;border-radius:50%;pointer-events:none"
OVER = '<div style="position:relative;display:inline-block;max-width:100%;line-height:0">{}</div>'


class FrontierExplorer(Explorer):
    """Settings of temperature, top-k and top-p on one plane, and what each of them writes.

    `temperature` and `cut` pick a mark, which a cell may do too. `view` and `status` are the
    `widgets.HTML` that follow them.

    Args:
        live: a data frame of `helpers.lab.frontier.frontier`, drawn large, with intervals.
        stored: another one, drawn small and joined by lines, with a row for each pair of one of
            its temperatures and one of its cuts.

    Example:
        >>> from helpers.lab import tables
        >>> stored = tables.read("frontier")
        >>> explorer = FrontierExplorer(stored[:3], stored)
        >>> explorer.temperature.value, explorer.cut.value = 2.0, "top-k 10"
        >>> "temperature 2, top-k 10. Stored: " in explorer.status.value
        True
    """

    def __init__(self, live, stored):
        super().__init__("Controls that move a ring over a plane of settings")
        self._stored, (self._plane, place) = stored, _plane(live, stored)
        tables = ("stored", stored), ("drawn here", live)
        self._marks = [(how, one, place(one)) for how, t in tables for one in t.itertuples()]
        self._below = self._plane.html  # what lies below the ring
        for how, one, at in self._marks:
            said = visible(f"{_named(one)}. {_said(how, one)}: {one.text}")
            self._below += SPOT.format(said, *at, AREA)
        temperatures, cuts = (list(dict.fromkeys(stored[c])) for c in ("temperature", "cut"))
        narrow = {"button_width": "auto", "description_width": "84px"}
        self.temperature, self.cut = (
            widgets.ToggleButtons(options=options, description=name, style=narrow)
            for name, options in (("temperature", temperatures), ("cut", cuts))
        )
        self.temperature.value = temperatures[len(temperatures) // 2]
        self.view = widgets.HTML()
        self.children = [self.temperature, self.cut, self.status, self.view]
        self._draw_on(self.temperature, self.cut)
        self._draw()
        self.still = self._pictured([self._plane], basis=340)

    def _show(self):
        setting = self.temperature.value, self.cut.value
        picked = [mark for mark in self._marks if (mark[1].temperature, mark[1].cut) == setting]
        ring = SPOT.format("", *picked[-1][2], RING)
        fits = {True: "possible", False: "impossible"}
        texts = {f"{how}, {fits[is_possible(one.text)]}": one.text for how, one, _ in picked}
        self.view.value = OVER.format(self._below + ring) + charts.text_cards("", texts).html
        better = beaten_by(self._stored, picked[0][1])
        beaten = "No other stored setting clearly has more of both"
        if len(better):
            beaten = f"{len(better)} stored settings clearly have more of both, such as "
            beaten += _named(better.loc[better.entropy.idxmax()])
        sayings = [_named(picked[0][1]), *(_said(how, one) for how, one, _ in picked), beaten]
        return (". ".join(sayings) + ".",)


def _named(one):
    return f"temperature {one.temperature:g}, {one.cut}"


def _said(how, one):
    low, high = 100 * one.low, 100 * one.high
    share = f"{100 * one.possible:.0f} % of {one.n_texts} texts possible"
    return f"{how.capitalize()}: {share} ({low:.0f} to {high:.0f} %), {one.entropy:.2f} nats"


def _plane(live, stored):
    """The plane as a `Picture`, and a function: where a row is on it, in % from left and top."""
    live, stored = (t.assign(entropy=t.entropy.clip(lower=LEAST)) for t in (live, stored))
    fig, ends = Figure(figsize=(7.2, 2.9)), []
    ax = fig.add_subplot()
    for n, (cut, line) in enumerate(stored.groupby("cut", sort=False)):
        look = {"color": charts.COLOURS[n % 6], "marker": charts.MARKERS[n % 6]}
        ax.plot(line.entropy, 100 * line.possible, markersize=4, linewidth=1, alpha=0.6, **look)
        ends.append((line.entropy.iloc[-1], 100 * line.possible.iloc[-1], cut, look["color"]))
        here = live[live.cut == cut]
        reach = (100 * here[["low", "possible", "high"]]).diff(axis=1).to_numpy().T[1:].tolist()
        bars = {"linestyle": "", "markersize": 8, "capsize": 3, "markeredgecolor": "white"}
        ax.errorbar(here.entropy, 100 * here.possible, reach, **bars, **look)
    ax.set_xscale("log")
    charts.number_plainly(ax.xaxis)
    charts.clean(ax, X, Y)
    charts.label_ends(ax, ends)
    lines = [f"{_named(one)}. {_said('drawn here', one)}." for one in live.itertuples()]
    box = fig.get_tightbbox().padded(charts.PADDING)  # what `describe` keeps, in inches

    def place(one):
        point = max(LEAST, one.entropy), 100 * one.possible
        x, y = ax.transData.transform(point) / fig.dpi
        return 100 * (x - box.x0) / box.width, 100 * (box.y1 - y) / box.height

    return charts.describe(fig, " ".join(lines)), place
