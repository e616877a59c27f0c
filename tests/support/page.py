"""What stands on the page of an explorer, read from its HTML, and a text that tries to break out of
it.
"""

import re
from html.parser import HTMLParser

import ipywidgets as widgets

HOSTILE = (
    '<img src=x onerror="alert(1)"> </script> {0} & '
    "\x1b[31mred\x00 \u202edlrow\u202c **bold** \u2028 é"
)


class Page(HTMLParser):
    """The rows of a table of bars, all tags and attributes, and all text outside <style>."""

    def __init__(self, source):
        super().__init__()
        self.rows, self.tags, self.attributes, self.text, self._in = [], [], set(), "", ""
        self.feed(source)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        self.attributes.update(attributes)
        self._in = tag
        if tag == "tr":
            self.rows.append({"class": attributes.get("class"), "cells": [], "widths": {}})
        elif tag in ("td", "th"):
            self.rows[-1]["cells"].append("")
        elif tag in ("i", "b") and "style" in attributes:
            self.rows[-1]["widths"][tag] = (
                float(re.fullmatch(r"width:(.*)%", attributes["style"])[1]) / 100
            )

    def handle_endtag(self, tag):
        self._in = ""

    def handle_data(self, data):
        if self._in == "style":
            return
        self.text += data
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
