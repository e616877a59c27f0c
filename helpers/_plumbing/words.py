"""What comes from outside, in sentences and as plain numbers: values, errors, warnings."""

import html
import math
import sys
import unicodedata
import warnings
from numbers import Integral


def printable(text):
    """Text without a character that cannot be seen: each is shown by its escape.

    Example:
        >>> printable("a\\u202eb")
        'a\\\\u202eb'
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def shown(value):
    """What a sentence shows of a value from outside: its repr, cut short where it is long.

    Example:
        >>> shown("<b>"), len(shown("x" * 10**6)) < 100
        ("'<b>'", True)
    """
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write longer numbers
        return "a number of more than 4,300 digits"
    text = printable(text)
    return text if len(text) <= 80 else f"{text[:60]} ... {text[-10:]}"


def brief(error):
    """The words of a library's error on one line, cut short where they are many.

    Example:
        >>> brief(KeyError("a")), brief(ValueError("one\\n  two"))
        ("KeyError: 'a'", 'ValueError: one two')
    """
    text = printable(" ".join(f"{type(error).__name__}: {error}".split())).rstrip(".: ")
    return text if len(text) <= 200 else f"{text[:190]} ..."


def visible(text, keep=" \n\t"):
    """Text as HTML: markup escaped, and a sign for each character that would not be seen.

    Example:
        >>> visible("a < b\\n", keep="")
        'a·&lt;·b⏎'
    """

    def show(c):
        hidden = unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
        plain = f"⟨U+{ord(c):04X}⟩" if hidden else html.escape(c)
        sign = {" ": "·", "\n": "⏎", "\t": "⇥"}.get(c, plain)
        return c if c in keep else sign

    return "".join(map(show, text))


def repeated(text, run=4):
    """Which words of a text belong to a run of four that came before: one bool for each word.

    Example:
        >>> repeated("to be or not to be or not")
        [False, False, False, False, True, True, True, True]
    """
    words, seen = text.split(), set()
    again = [False] * len(words)
    for n in range(len(words) - run + 1):
        if (found := tuple(words[n : n + run])) in seen:
            again[n : n + run] = [True] * run
        seen.add(found)
    return again


def warn(sentence):
    """Warn, pointing at the line outside this package that led here."""
    frame, level = sys._getframe(), 1
    while frame.f_back and frame.f_globals["__name__"].startswith("helpers."):
        frame, level = frame.f_back, level + 1
    warnings.warn(printable(sentence), stacklevel=level)


def plain_number(value, name, kind):
    """A scalar of Python, NumPy or PyTorch as Python's int or float; all else is refused."""
    plain = value.item() if getattr(value, "ndim", None) == 0 else value
    if isinstance(plain, bool) or not isinstance(plain, kind):
        whole = "whole " if kind is Integral else ""
        raise TypeError(f"{name} must be a {whole}number, not {shown(value)}.")
    try:
        return int(plain) if kind is Integral else float(plain)
    except OverflowError:
        return math.inf
