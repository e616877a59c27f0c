"""What the explorers show: bars, sentences and texts as HTML.

Pure functions turn values into HTML. All that comes from a text is escaped, and shown by a sign
where it could not be seen. Left out: matplotlib, threads, JavaScript.
"""

import html
import unicodedata
from typing import NamedTuple

from helpers._plumbing.files import DATA

STYLE = (DATA / "explorers.css").read_text(encoding="utf-8")


class Bar(NamedTuple):
    """A token, or words about several, its probability, and the exact one where it is known."""

    label: str
    probability: float
    kept: bool = True
    truth: float | None = None
    is_token: bool = True


def bars_html(bars, caption=""):
    """A list of `Bar` as a table in HTML, with bars on one axis from 0 to 100 %.

    A token that is cut has a hatched bar and the word "cut" before the probability that it would
    have without it. Where a truth is known there is a second, thin bar and a second column of
    numbers.

    Example:
        >>> "43.1" in bars_html([Bar(" cat", 0.4312)])
        True
    """
    with_truth = any(bar.truth is not None for bar in bars)
    rows = []
    for bar in bars:
        label = visible(bar.label)
        if bar.is_token:
            label = f'<code title="{label}">{visible(bar.label, keep="") or "(none)"}</code>'
        drawn = f'<i style="width:{100 * bar.probability:.2f}%"></i>'
        drawn += f'<b style="width:{100 * (bar.truth or 0):.2f}%"></b>' if with_truth else ""
        numbers = f"<td>{'' if bar.kept else 'cut '}{_percent(bar.probability)}</td>"
        numbers += f"<td>{_percent(bar.truth)}</td>" if with_truth else ""
        rows.append(
            f'<tr class="{"kept" if bar.kept else "cut"}"><th scope="row">{label}</th>'
            f'<td class="wide"><div aria-hidden="true">{drawn}</div></td>{numbers}</tr>'
        )
    axis = '<span aria-hidden="true"><span>0</span><span>50</span><span>100</span></span>'
    head = f'<th>token</th><td class="wide">{axis}</td><th><i></i>model %</th>'
    head += "<th><b></b>truth %</th>" if with_truth else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    table += f"<small>{visible(caption)}</small>"
    return f'<style>{STYLE}</style><div class="lmm-bars">{table}</div>'


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


def visible(text, keep=" \n\t"):
    """Text as HTML: markup escaped, and a sign for each character that would not be seen."""

    def show(c):
        hidden = unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
        sign = {" ": "·", "\n": "⏎", "\t": "⇥"}.get(c) or (
            f"⟨U+{ord(c):04X}⟩" if hidden else html.escape(c)
        )
        return c if c in keep else sign

    return "".join(map(show, text))


def status_html(sentence, problem=""):
    """A line that screen readers announce when it changes; what went wrong stands in front."""
    problem = f'<span class="lmm-problem">{visible(problem)}</span>' if problem else ""
    return (
        f'<p role="status" aria-live="polite" class="lmm-status">{problem}{visible(sentence)}</p>'
    )


def texts_html(prompt, continuations):
    """Texts side by side, {title: what the model wrote}: the prompt pale, the new part marked."""
    typed = f"<span>{visible(prompt)}</span>"
    cards = (
        f"<div><strong>{k}</strong>{typed}<mark>{visible(new)}</mark></div>"
        for k, new in continuations.items()
    )
    # Of a single text the status tells each step
    live = ' aria-live="polite"' if len(continuations) > 1 else ""
    return f'<div class="lmm-texts"{live}>{"".join(cards)}</div>'
