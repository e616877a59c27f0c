"""What stands on the page of an explorer, read from its HTML, and a text that tries to break out of
it.
"""

import re
from html.parser import HTMLParser

import ipywidgets as widgets

WIDTH = re.compile(r"\bwidth:([\d.]+)%")
HOSTILE = (
    '<img src=x onerror="alert(1)"> </script> {0} & '
    "\x1b[31mred\x00 \u202edlrow\u202c **bold** \u2028 é"
)


class Page(HTMLParser):
    """The rows of a table of bars, all tags and attributes, and all text that is seen.

    Widths are shares from 0 to 1, read off the axis that the head of the table names.
    """

    def __init__(self, source):
        super().__init__()
        self.rows, self.tags, self.attributes, self.text, self.end = [], [], set(), "", 1
        self._hidden, self._bar = False, None
        self.feed(source)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        self.attributes.update(attributes)
        self._hidden = tag == "span" and "display:none" in attributes.get("style", "")
        if tag == "tr":
            self.rows.append({"cells": [], "widths": {}, "blocks": {}, "dashed": False})
        elif tag in ("td", "th"):
            self.rows[-1]["cells"].append("")
        elif tag in ("i", "b") and (width := WIDTH.search(attributes.get("style", ""))):
            self.rows[-1]["widths"][tag] = float(width[1]) / 100 * self.end
            self.rows[-1]["dashed"] |= "dashed" in attributes["style"]
            self._bar = tag

    def handle_endtag(self, tag):
        if tag == "span":
            self._hidden = False

    def handle_data(self, data):
        if self._hidden:
            if self._bar:
                self.rows[-1]["blocks"][self._bar] = data
            return
        self.text += data
        if len(self.rows) == 1 and (end := re.fullmatch(r"(\d+) %", data)):
            self.end = int(end[1]) / 100
        if self.rows and self.rows[-1]["cells"]:
            self.rows[-1]["cells"][-1] += data


def rows(view):
    """The rows of a bars view without the head."""
    return Page(view.value if isinstance(view, widgets.HTML) else view).rows[1:]


def said(explorer):
    return Page(explorer.status.value).text


def controls(widget):
    """A widget and all that is in it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from controls(child)
