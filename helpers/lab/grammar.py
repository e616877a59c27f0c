"""The notation of a grammar file, as `helpers/data/pocketweb.grammar` explains it.

A grammar is rules, whose alternatives are texts with slots.

A token is a word with its leading space, a digit or a punctuation mark: exactly the tokens of the
pocket models. What a slot can become, and with which probability, is the business of `engine`.
"""

import functools
import re
from typing import NamedTuple

from helpers._plumbing.words import shown

END = "<|endoftext|>"
MASK = "[MASK]"
TOKEN_PATTERN = r"\n *| ?[A-Za-z]+(?:'[a-z]+)?| ?[0-9]| ?[^A-Za-z0-9\s]|\s"
_TOKEN = re.compile(re.escape(END) + "|" + TOKEN_PATTERN)


def tokenize(text):
    """Split text into PocketWeb tokens; joined, they give the text back.

    Example:
        >>> tokenize("The cat sat.")
        ['The', ' cat', ' sat', '.']
    """
    if not isinstance(text, str):
        raise TypeError(f"The text must be a string, not {shown(text)}.")
    return _TOKEN.findall(text)


class Row:
    """An alternative of a rule: what it writes (also after a space), weight and columns."""

    def __init__(self, items, weight, columns):
        self.items, self.spaced, self.weight = items, after_space(items), weight
        # None where there are slots
        self.text = "".join(items) if all(isinstance(item, str) for item in items) else None
        self.columns = {"": self.text, **columns}


class Expand(NamedTuple):
    """The slot `{X=rule/Y not Z}`: write one alternative of a rule, and remember it as X."""

    silent: str  # "!": choose and remember, write nothing
    variable: str
    rule: str
    over: str  # the variable whose value (or a column of it) completes the rule's name
    column: str
    excluded: tuple  # variables whose values may not be chosen
    facts: tuple  # variables (and words) that decide the choice for good
    zipf: tuple  # ("zipf",) for the first half of a Zipf pair, ("zipf", variable) for the second
    space: bool


class Write(NamedTuple):
    """The slots `{X}`, `{X.column}` and `{=A+B}`: write what is remembered or follows from it."""

    source: str
    column: str
    space: bool


class Mark(NamedTuple):
    """Where the text to remember as variable begins or ends, if it has slots of its own."""

    variable: str
    opens: bool


# No `**`: 9**9**9 would never end
_WRITE = re.compile(r"(=[\w ()]+(?:(?:[-+*%]|//)[\w ()]+)*|[A-Z]\w*)(?:\.(\w+))?")
_EXPAND = re.compile(
    r"(?P<silent>!)?(?:(?P<variable>[A-Z]\w*)=)?"
    r"(?P<rule>[a-z]\w*)(?:/(?P<over>[A-Z]\w*)(?:\.(?P<column>\w+))?)?"
    r"(?: not (?P<excluded>[A-Z]\w*(?: [A-Z]\w*)*))?"
    r"(?: of (?P<facts>[\w ]+))?(?: (?P<zipf>zipf(?: [A-Z]\w*)?))?"
)
_HEADER = re.compile(r"([a-z]\w*(?:/[^\s:(]+)?)(?:\((.*?)\))?:(.*)")
_NUMBER = r"\d*\.?\d+"
_ZIPF = re.compile(rf"zipf (\w+) (\w+): exponent ({_NUMBER}), shift ({_NUMBER})")


def _slot(source, space):
    if match := _WRITE.fullmatch(source):
        return Write(match[1], match[2] or "", space)
    if match := _EXPAND.fullmatch(source):
        part = match.groupdict(default="")
        part |= {name: tuple(part[name].split()) for name in ("excluded", "facts", "zipf")}
        return Expand(**part, space=space)
    raise ValueError(f"The grammar has a slot that cannot be read: {{{source}}}.")


def after_space(items):
    """The same items where a space stands in front: it belongs to the first token."""
    first = [" " + i if isinstance(i, str) else i._replace(space=True) for i in items[:1]]
    return (*first, *items[1:])


def _items(template):
    """A template as tokens and slots; a space before a slot is handed to the slot."""
    items, space = [], False
    for index, piece in enumerate(re.split(r"\{(.*?)\}", template.replace("\\n", "\n"))):
        if index % 2:
            items.append(_slot(piece, space))
        else:
            space = piece.endswith(" ")
            items += tokenize(piece.removesuffix(" "))
    return tuple(items)


def parse(source):
    """A grammar file as {rule: [Row, ...]}, and {(rule, rule): (exponent, shift)} of Zipf."""
    cells, columns, zipf, name = {}, {}, {}, None
    for line in source.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if law := _ZIPF.fullmatch(line):
            zipf[law[1], law[2]] = float(law[3]), float(law[4])
            continue
        if header := _HEADER.match(line):
            name, declared, line = header.groups()
            names = filter(None, (declared or "").split(","))
            declared = [column.strip().partition("=") for column in names]
            cells[name], columns[name] = [], {column: default for column, _, default in declared}
        elif name is None or not line[0].isspace():
            neither = "neither a rule nor an alternative"
            raise ValueError(f"The grammar has a line that is {neither}: {line!r}.")
        cells[name] += [cell.strip() for cell in line.split("|") if cell.strip()]

    def row(name, cell):
        weight, cell = re.fullmatch(r"(?:([\d.]+)x )?(.*)", cell).groups()
        if weight and not re.fullmatch(_NUMBER, weight):
            raise ValueError(f"The grammar has a weight that is no number: {weight}x.")
        text, *values = (part.strip() for part in cell.split(" / "))
        given = dict(zip(columns[name], values, strict=False))
        return Row(_items("" if text == "-" else text), float(weight or 1), columns[name] | given)

    @functools.cache
    def rows(name):
        return [r for c in cells[name] for r in (rows(c[1:]) if c[0] == "+" else [row(name, c)])]

    return {name: rows(name) for name in cells}, zipf
