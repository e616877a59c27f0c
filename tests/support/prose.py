"""Plain English, as far as a pattern can tell: turns that read as translated, and long sentences.

A pattern cannot judge a text. It finds what a reader stumbles over again and again, and names the
plainer way to say it. Read what is left aloud.
"""

import re
from typing import NamedTuple

import nbformat

LONG, TOO_LONG = 24, 40  # words of a sentence
MEAN_AT_MOST, LONG_SHARE_AT_MOST = 16, 0.15  # what good plain prose keeps
START = r"(?:^|(?<=[.?!:;] ))"
ADJECTIVES = "Cold|Warm|Hot|Cool|Dark|Light|Frozen|Small|Large|Short|Long|Cheap|Right|Wrong"
PYTHON = re.compile(r"\s*(?:def |import |from \w+ import |@|[\[(])")
TURNS = {  # what is found: what to write instead
    r"\bbehind\b": "after, below, under or inside",
    r"\banew\b": "again",
    r"\bst(?:ands?|ood)\b(?! still\b| out\b| up\b| alone\b| in[,.]| in for\b|-in\b)": (
        "is, are, was, or means"
    ),
    r"\bwho(?:m|so)?ever\b": "anyone who, or you",
    r"\b(?:is|are|was|were) to (?!the |be seen\b)[a-z]+\b": "must, should or will",
    r", for (?:it|they|he|she|we|you|there|nobody)\b": "because",
    r", for (?:the|its|their|this|that|these|no) (?:\w+ ){1,4}(?:is|are|has|have|was|were|can)\b": (
        "because"
    ),
    START + r"Silence (?:means|is)\b": "if you leave it out",
    START + rf"(?:(?:{ADJECTIVES})(?::| is\b)|Greedy is\b)": "a subject: what is cold?",
    START + r"Who(?: [a-z]+s| has| is)\b(?![^.!]*\?)": "a model that, or a reader who",
    r"\bin (?:its|their|his|her) stead\b": "instead",
    r"\bor the like\b|\band the like\b": "name it, or leave it out",
    r"\bhas no say\b|\bhave no say\b": "does not matter",
    r"\bout of (?:it|them)\b(?= (?:comes?|came|follows?|grows?)\b)": "from it",
    r"\bin the making\b": "that you are still writing",
    r"\b(?:of|than) (?:ours|theirs)\b": "our, their",
    r"\bless the\b": "without the",
}


class Measured(NamedTuple):
    """What is counted in a text."""

    turns: int
    too_long: int
    mean: float
    long_share: float


def paragraphs(markdown):
    """The headings, paragraphs, list items and table cells of a Markdown text, without its marks;
    code is an X.

    Example:
        >>> list(paragraphs("# A title\\n\\n- **one** [two](a.md)\\n\\n| a | b `c` |\\n|---|---|"))
        ['A title', 'one two', 'a', 'b X']
    """
    text = re.sub(r"^(```|~~~).*?^\1|\$\$.*?\$\$|<!--.*?-->", "", markdown, flags=re.M | re.S)
    text = re.sub(r"`[^`]*`|<code>.*?</code>|\$[^$\n]+\$", "X", text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"<[^>]+>", "", text)
    text = re.sub(r"^[ \t]*(?:#+|[-*>]|\d+\.)[ \t]+", "\n\n", text, flags=re.M)
    text = re.sub(r"^\|[\s|:-]+\|?$", "", text, flags=re.M)
    text = re.sub(r"^\|.*$", lambda row: "\n\n" + row[0].replace("|", "\n\n"), text, flags=re.M)
    for part in re.split(r"\n\s*\n", text):
        words = re.sub(r"[*_]", "", part).split()
        if words:
            yield " ".join(words)


def sentences(markdown):
    """The sentences of three words and more, those of headings and tables left out.

    Example:
        >>> sentences("Below 1, likely words win. What wins above 1? Look at *b*.")
        ['Below 1, likely words win.', 'What wins above 1?', 'Look at b.']
    """
    running = re.sub(r"^(?:#|\|).*$", "", markdown, flags=re.M)
    found = [
        sentence
        for paragraph in paragraphs(running)
        for sentence in re.split(r"(?<=[.?!])[\"')]*\s+(?=[\"'(]*[A-Z0-9])", paragraph)
    ]
    return [sentence for sentence in found if len(sentence.split()) >= 3]


def turns(markdown):
    """One line for each turn that reads as translated.

    Example:
        >>> turns("Greedy is the limit of cold.")
        ["'Greedy is' (better: a subject: what is cold?): Greedy is the limit of cold."]
        >>> turns("The bars stand still."), turns("What is behind it?")[0][:8]
        ([], "'behind'")
    """
    found = []
    for paragraph in paragraphs(markdown):
        for pattern, better in TURNS.items():
            for match in re.finditer(pattern, paragraph):
                around = paragraph[max(0, match.start() - 40) : match.end() + 60]
                found.append(f"{match[0].strip()!r} (better: {better}): {around}")
    return found


def too_long(markdown):
    return [one for one in sentences(markdown) if len(one.split()) > TOO_LONG]


def measure(markdown):
    """The `Measured` of a text."""
    lengths = [len(one.split()) for one in sentences(markdown)] or [0]
    return Measured(
        len(turns(markdown)),
        len(too_long(markdown)),
        sum(lengths) / len(lengths),
        sum(n > LONG for n in lengths) / len(lengths),
    )


def page(path, core=False):
    """The Markdown of a notebook, or of its core path."""
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(
        cell.source
        for cell in cells
        if cell.cell_type == "markdown" and (not core or "core" in cell.metadata.get("tags", []))
    )


def all_strings(table):
    """Every text in a TOML table, keys included, in order; Python code is left out.

    Example:
        >>> list(all_strings({"quiz": {"question": "Why?", "cases": "[(1, 2)]"}}))
        ['quiz', 'question', 'Why?', 'cases']
    """
    for key, value in table.items():
        yield key
        if isinstance(value, dict):
            yield from all_strings(value)
        elif isinstance(value, str) and not PYTHON.match(value):
            yield value
