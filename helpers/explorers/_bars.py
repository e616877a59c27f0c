"""What the explorers show: bars and sentences as HTML.

Pure functions turn values into HTML. All styles are inline, since JupyterLab keeps no others in a
notebook that has not run yet. Previews of code hosts drop those too: for them each bar has a row of
block characters beside it, which the inline style hides. Left out: threads, JavaScript.
"""

from typing import NamedTuple

from helpers._plumbing.words import visible
from helpers.charts import Picture

MODEL, TRUTH = "#0072B2", "#D55E00"  # both are seen on light and on dark pages
AXIS_ENDS = (1, 2, 5, 10, 15, 20, 25, 30, 40, 50, 60, 70, 80, 90, 100)  # per cent
BLOCK = 5  # per cent of the axis that one block character covers
EIGHTHS = " ▏▎▍▌▋▊▉"
SMALL = "font-size:12px;line-height:1.4;opacity:.8"
SEES = "max-width:756px;margin:6px 4px;line-height:1.6;white-space:pre-wrap;overflow-wrap:anywhere"
HIDDEN = '<span style="display:none">{}</span>'
_CELL = "padding:0 0 0 8px;border:0;text-align:right;white-space:nowrap;line-height:1.3"
_HEAD = f"{_CELL};font-weight:600;vertical-align:bottom"
_LABEL = "padding:0;border:0;text-align:left;white-space:nowrap;line-height:1.3;font-weight:400"
_WIDE = 'align="left" style="text-align:left;padding:0 0 0 8px;border:0;width:99%;min-width:36px"'
_FRAME = "border-left:1px solid rgba(128,128,128,.6);padding:3px 0"
_CODE = (
    "display:block;max-width:8em;overflow:hidden;text-overflow:ellipsis;padding:0;background:none;"
    "color:inherit;font-size:13px;white-space:pre;unicode-bidi:isolate"
)


class Bar(NamedTuple):
    """A token, or words about several, its probability, and the exact one where it is known."""

    label: str
    probability: float
    kept: bool = True
    truth: float | None = None
    is_token: bool = True


def axis_end(*lists):
    """Where an axis for lists of `Bar` ends: a round number of per cent, not below the longest.

    Example:
        >>> axis_end([Bar(" cat", 0.43, truth=0.51)])
        60
    """
    longest = max((max(b.probability, b.truth or 0) for bars in lists for b in bars), default=0)
    return next(end for end in AXIS_ENDS if 100 * longest < end + 1e-3 or end == 100)


def bars_html(bars, caption="", end=None):
    """A list of `Bar` as a table in HTML, with bars on one axis from 0 to `end` per cent.

    By default the axis ends at a round number above the longest bar. A token that is cut has an
    empty bar and the word "cut" before the probability that it would have without it. Where a truth
    is known there is a second, thin bar and a second column of numbers.

    Example:
        >>> "43.1" in bars_html([Bar(" cat", 0.4312)])
        True
    """
    end, with_truth = end or axis_end(bars), any(bar.truth is not None for bar in bars)
    rows = "".join(_row(bar, end, with_truth) for bar in bars)
    both = HIDDEN.format(" (first the model, below it the truth)") if with_truth else ""
    axis = f"<span>0{HIDDEN.format(' to')}</span> <span>{end} %{both}</span>"
    axis = f'<div style="display:flex;justify-content:space-between;opacity:.8">{axis}</div>'
    name = "token" if any(bar.is_token for bar in bars) else ""
    head = f'<th style="{_LABEL};font-weight:600">{name}</th><td {_WIDE}>{axis}</td>'
    names = {MODEL: "model", TRUTH: "truth"} if with_truth else {MODEL: "%"}
    for colour, name in names.items():
        head += f'<th style="{_HEAD}">{_key(colour)}{name}</th>'
    look = "table-layout:auto;width:100%;margin:0;border:0;border-collapse:collapse;font-size:13px"
    plain = "background:none;border:0"
    table = f'<table style="{look}"><thead style="border:0"><tr style="{plain}">{head}</tr></thead>'
    table += f"<tbody>{rows}</tbody></table>"
    note = f'<div style="margin-top:4px;{SMALL}">{visible(caption)}</div>' if caption else ""
    return f'<div style="max-width:756px;margin:2px 4px">{table}{note}</div>'


def _row(bar, end, with_truth):
    label = visible(bar.label)
    if bar.is_token:
        shown = visible(bar.label, keep="") or "(none)"
        label = f'<code title="{label}" style="{_CODE}">{shown}</code>'
    drawn = _drawn("i", bar.probability, end, MODEL, bar.kept)
    numbers = f'<td style="{_CELL}">{"" if bar.kept else "cut "}{_percent(bar.probability)}</td>'
    if with_truth:
        drawn += HIDDEN.format("<br>") + _drawn("b", bar.truth or 0, end, TRUTH)
        numbers += f'<td style="{_CELL}">{_percent(bar.truth)}</td>'
    return (
        f'<tr style="background:none;border:0">'
        f'<th scope="row" align="left" style="{_LABEL}">{label}</th>'
        f'<td {_WIDE}><div aria-hidden="true" style="{_FRAME}">{drawn}</div></td>{numbers}</tr>'
    )


def _drawn(tag, probability, end, colour, kept=True):
    """A bar: thick (i) or thin (b), filled or, where it is cut, empty; and the same in blocks."""
    share = min(1.0, 100 * probability / end)
    height = "height:11px" if tag == "i" else "height:4px;margin-top:1px"
    fill = f"background:{colour}" if kept else f"border:1px dashed {colour}"
    style = f"display:block;box-sizing:border-box;width:{100 * share:.2f}%;{height};{fill}"
    return f'<{tag} style="{style}"></{tag}>' + HIDDEN.format(blocks(share))


def blocks(share):
    """A bar in block characters: a share of the axis, which is 20 of them long.

    Example:
        >>> blocks(0.5), blocks(0.03)
        ('██████████', '▋')
    """
    whole, eighth = divmod(round(share * 8 * 100 / BLOCK), 8)
    return "█" * whole + EIGHTHS[eighth].strip()


def _key(colour):
    square = f"display:inline-block;width:9px;height:9px;margin:0 4px 0 0;background:{colour}"
    return f'<i style="{square}"></i>'


def bar_lines(bars):
    """Bars as lines of text."""
    lines = []
    for bar in bars:
        label = repr(bar.label) if bar.is_token else bar.label
        truth = "" if bar.truth is None else f"  truth {bar.truth:.1%}"
        lines.append(f"  {label:16} {'' if bar.kept else 'cut '}{bar.probability:.1%}{truth}")
    return lines


def _percent(p):
    return "" if p is None else "0" if p == 0 else "&lt;0.1" if p < 0.0005 else f"{100 * p:.1f}"


def status_html(sentence, problem=""):
    """A line that screen readers announce when it changes; what went wrong comes first."""
    if problem:
        edge = f"display:block;margin:4px 0;padding-left:8px;border-left:4px solid {TRUTH}"
        problem = f'<span style="{edge};overflow-wrap:anywhere">{visible(problem)}</span>'
    look = 'style="margin:2px 4px;line-height:1.4"'
    return f'<p role="status" aria-live="polite" {look}>{problem}{visible(sentence)}</p>'


def side_by_side(parts, basis=300, width=772):
    """Pieces of HTML beside each other, below each other where they would be narrower than `basis`.

    Both are in pixels.
    """
    flex, look = f"flex:1 1 {basis}px;min-width:0", "display:flex;flex-wrap:wrap;gap:8px 24px"
    inside = "".join(f'<div style="{flex}">{part}</div>' for part in parts)
    return f'<div style="{look};max-width:{width}px">{inside}</div>'


def headed(heading, picture):
    """A picture below a heading."""
    head = f'<p style="margin:2px 4px"><b>{visible(heading)}</b></p>'
    return Picture(head + picture.html, f"{heading}: {picture.text}")


def blank_html(sign):
    """A blank in a text, with a sign in it."""
    look = f"padding:0 9px;border-bottom:1px solid {MODEL};background:rgba(0,114,178,.25)"
    return f'<b style="{look}">{sign}</b>'


def hidden_html(word):
    """A word that a model does not see: covered, and struck out where there are no styles."""
    look = "color:transparent;text-decoration:none;background:rgba(128,128,128,.4)"
    return f'<s style="{look}">{word}</s>'
