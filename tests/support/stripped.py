"""A notebook as the preview of a code host shows it: without kernel, styles and scripts.

What such a preview does is not written down anywhere; here it does the worst that was seen. It
drops `<style>`, `<script>` and `<svg>` with all that is in them, every `style`, `class` and `id`,
and tags that HTML does not know. It opens every `<details>` and shows the source of folded cells.
"""

import copy
import itertools
import re
from html import escape
from html.parser import HTMLParser
from typing import NamedTuple

DROPPED = ("style", "script", "svg")
KEPT = ("href", "src", "alt", "title", "width", "height", "colspan", "rowspan", "align", "open")
VOID = ("br", "hr", "img", "input", "col", "wbr", "meta", "link")
KNOWN = {  # tags that Markdown lets through
    *("a", "b", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt", "em", "h1"),
    *("h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "kbd", "li", "mark", "ol", "p", "pre", "q"),
    *("s", "small", "span", "strong", "sub", "summary", "sup", "table", "tbody", "td", "th"),
    *("thead", "tr", "u", "ul"),
}
BLOCKS = "▏▎▍▌▋▊▉█"  # one to eight eighths
WHOLE = 20  # blocks of the longest bar that the axis has room for
WIDTH = re.compile(r"(?:^|[;\s])width:\s*([\d.]+)%")
HIDES = re.compile(r"(?:^|[;\s])display:\s*none")


class Element:
    """A tag with its attributes and what is inside: texts and elements."""

    def __init__(self, tag, attributes=()):
        self.tag, self.attributes, self.inside = tag, dict(attributes), []

    @property
    def style(self):
        return self.attributes.get("style") or ""


class _Tree(HTMLParser):
    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open = [Element("page")]
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        element = Element(tag, attributes)
        self.open[-1].inside.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attributes):
        self.open[-1].inside.append(Element(tag, attributes))

    def handle_endtag(self, tag):
        if tag in [element.tag for element in self.open]:
            while self.open.pop().tag != tag:
                pass

    def handle_data(self, data):
        self.open[-1].inside.append(data)


def tree(html):
    return _Tree(html).open[0]


def elements(element):
    """The element and all below it."""
    yield element
    for child in element.inside:
        if isinstance(child, Element):
            yield from elements(child)


def text_of(element, hidden=True):
    """What an element says, a space between its parts; without what is styled `display:none`, if
    not `hidden`.

    Example:
        >>> page = tree("<p>0<b style='display:none'>to</b><i>50</i></p><style>p {}</style>")
        >>> text_of(page), text_of(page, hidden=False)
        ('0 to 50', '0 50')
    """
    if element.tag in ("style", "script") or (not hidden and HIDES.search(element.style)):
        return ""
    parts = [
        child if isinstance(child, str) else text_of(child, hidden) for child in element.inside
    ]
    return " ".join(" ".join(parts).split())


def html_of(element):
    inside = "".join(
        escape(child, quote=False) if isinstance(child, str) else html_of(child)
        for child in element.inside
        if isinstance(child, str) or child.tag not in DROPPED
    )
    if element.tag not in KNOWN:
        return inside
    kept = {name: value for name, value in element.attributes.items() if name in KEPT}
    if element.tag == "details":
        kept["open"] = ""
    start = "".join(f' {name}="{escape(value or "")}"' for name, value in kept.items())
    return f"<{element.tag}{start}>" + ("" if element.tag in VOID else f"{inside}</{element.tag}>")


def stripped(html):
    """The HTML of an output, or of Markdown, as a preview shows it.

    Example:
        >>> stripped("<style>b {}</style><b style='color:red' id=x>7</b><svg><text>8</text></svg>")
        '<b>7</b>'
        >>> stripped("Move <revealed>. <details><summary>Hint</summary>Half.</details>")
        'Move . <details open=""><summary>Hint</summary>Half.</details>'
    """
    return html_of(tree(html))


def vanishing(markdown):
    """The words in angle brackets that a preview drops from a Markdown text; code keeps them.

    Example:
        >>> vanishing("Move <revealed> by 1<sup>st</sup>, see <https://a.b> and `<mask>`")
        ['revealed']
    """
    text = re.sub(r"^(```|~~~).*?^\1|<!--.*?-->", "", markdown, flags=re.M | re.S)
    text = re.sub(r"(`+).*?\1|<code>.*?</code>|<https?:[^>\s]+>", "", text, flags=re.S)
    names = re.findall(r"</?([A-Za-z][\w-]*)[^<>]*>", text)
    return [name for name in names if name.lower() not in KNOWN]


def lost(html):
    """The words that a reader sees with styles and no longer without.

    Example:
        >>> lost("<p>of <b>50</b></p>"), lost("<p>of</p><svg><text>50</text></svg>")
        ([], ['50'])
    """
    before, after = tree(html), iter(text_of(tree(stripped(html))).split())
    return [word for word in text_of(before, hidden=False).split() if word not in after]


def glued(html):
    """Numbers of two elements that run into one another without styles.

    Example:
        >>> glued("<span>0</span><span>50</span>"), glued("<span>0</span> <span>50</span>")
        (['0</span><span>5'], [])
    """
    inline = r"(?:b|code|em|i|mark|s|small|span|strong)"
    return re.findall(rf"\d(?:</{inline}>)+(?:<{inline}>)+\d", stripped(html))


def length(blocks):
    """How long a bar of block characters is, in blocks.

    Example:
        >>> length("██▌")
        2.5
    """
    return sum(BLOCKS.index(one) + 1 for one in blocks) / 8


class Bar(NamedTuple):
    """A drawn bar: its width in per cent of the axis, and the block characters after it."""

    width: float
    blocks: str | None

    @property
    def right(self):
        """Whether the block characters are as long as the bar, to the eighth of a block."""
        return self.blocks is not None and (
            abs(length(self.blocks) - WHOLE * self.width / 100) <= 1 / 8
        )


def bars(html):
    """Every drawn bar: an empty element with an inline width in per cent, and what is hidden in
    the element right after it.

    Example:
        >>> bar = '<td><div style="width:12.5%"></div><span style="display:none">██▌</span></td>'
        >>> bars(f"<table style='width:100%'><tr>{bar}</tr></table>")
        [Bar(width=12.5, blocks='██▌')]
    """
    found = []
    for element in elements(tree(html)):
        children = [child for child in element.inside if isinstance(child, Element)]
        for child, after in itertools.zip_longest(children, children[1:]):
            drawn = WIDTH.search(child.style)
            if drawn and not child.inside and child.tag not in VOID:
                hidden = after is not None and HIDES.search(after.style)
                blocks = text_of(after) if hidden else None
                ours = blocks is not None and set(blocks) <= set(BLOCKS)
                found.append(Bar(float(drawn[1]), blocks if ours else None))
    return found


def page(notebook):
    """A copy of a notebook as a preview shows it."""
    shown = copy.deepcopy(notebook)
    for cell in shown.cells:
        cell.metadata.get("jupyter", {}).pop("source_hidden", None)
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"<details(?: open)?>", "<details open>", cell.source)
            for name in vanishing(cell.source):
                cell.source = re.sub(rf"</?{name}\b[^>]*>", "", cell.source)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            data.pop("image/svg+xml", None)
            if "text/html" in data:
                data["text/html"] = stripped(data["text/html"])
    return shown
