"""A notebook's core path as a talk: one HTML file that needs no network.

Here it is decided what is said, and by whom. Instructions for what a room without a kernel does
not have (controls, cells, a terminal) are left out, and so is the place where a guess meets its
result. Remarks about the notebook, and the answers of quizzes with their reasons, are the speaker's
notes. Code is left out, except that of cells with the tag `talk-code` and what the text announces.
`helpers/data/classroom/talk.html` decides in the browser what stands where: it measures the blocks,
and begins a new slide where one is full.
"""

import re
from pathlib import Path

import nbformat
from nbconvert.filters import markdown2html

from helpers._plumbing.classroom import lessons_asked, notebook_paths, page_written

ABSENT = re.compile(  # what nobody can do or see where no notebook runs
    r"""(?ix)\W*(?:(?:then|now|first|next|or|and),?\ )*(?:move|press|click|drag|tick|untick|scroll
        |type|go\ back|watch|run|open|hover|slide|change|pick\ another|come\ back|before\ that)\b
    |.*\b(?:sliders?|buttons?|shift\+enter|box(?:es)?|dropdown|run\ all
        |cells?\ (?:below|above)|(?:next|this|last|following)(?:\ two)?\ cells?)\b
    |.*\*\*(?:step|write|start\ over|bet|next\ text)\*\*|\*\*It\ needs\*\*"""
)
ANNOUNCED = "programs look like this|This is all you need"  # in the text above a program
SPOKEN = re.compile(r".*\bminutes(?:\*\* to read| more)\b|The rest is optional|Next:")
LEANING = re.compile(r"\W*(?:It|Its|They|Their|This|That|These|There|Then|Each|Until|The cells)\b")
ENDS = re.compile(r"(?:(?<=[.?:])|(?<=[.?:]\*)|(?<=[.?:]\*\*))(?<!\.\.\.)\s+(?=[\W_]*[A-Z])")


def write_talk(number, folder="."):
    """Write `talk-NN.html` into `folder`, and return its path.

    Raises:
        ValueError: no notebook has this number, this is no copy of the repository, or nothing can
            be written to the folder.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_talk("05", folder).name
        'talk-05.html'
    """
    paths, wanted = notebook_paths(), number.zfill(2)
    if wanted not in paths:
        raise ValueError(f"There is no notebook {number!r}. There are: {', '.join(paths)}.")
    cells = nbformat.read(paths[wanted], as_version=4).cells
    title = cells[0].source.partition("\n")[0].lstrip("# ")
    path = Path(folder) / f"talk-{wanted}.html"
    return page_written(path, "talk.html", title=title, blocks=said_in(cells))


def said_in(cells):
    """The talk as a list of blocks (kind, content).

    Kinds: "prose" and "notes" with HTML, "output" with HTML, "printed" and "code" with text, "quiz"
    and "guess" with a lesson. Quizzes of optional sections come last.
    """
    said, asked, heading = [], [], ""
    for i, cell in enumerate(cells):
        if cell.cell_type == "markdown" and cell.source.startswith("#"):
            heading = cell.source.partition("\n")[0]
        if "core" in cell.metadata.get("tags", []) and heading != "## Run this first":
            said += _by_cell(cell, re.search(ANNOUNCED, cells[i - 1].source))
        elif cell.cell_type == "code":
            asked += [("quiz", one) for one in lessons_asked(cell, "quiz")]
    return said + [("prose", "<h2>Check yourself</h2>")] * bool(asked) + asked


def _by_cell(cell, announced):
    if cell.cell_type == "markdown":
        source = re.sub(r"(?s)In a terminal, type:\s+```.*?```", "", cell.source)
        return [both for block in re.split(r"\n{2,}", source) for both in _by_block(block)]
    if asked := [(kind, one) for kind in ("quiz", "guess") for one in lessons_asked(cell, kind)]:
        return asked
    said = [("code", cell.source)] if announced or "talk-code" in cell.metadata.tags else []
    for output in [] if re.search(r"^compare\(", cell.source, re.MULTILINE) else cell.outputs:
        data = output.get("data", {})
        text = output.get("text") or data.get("text/plain", "")
        said.append(("output", data["text/html"]) if "text/html" in data else ("printed", text))
    return said


def _by_block(block):
    """What of a paragraph, list, table or heading is shown, and what only the speaker says.

    A sentence that leans on one that is not shown goes with it.

    Example:
        >>> _by_block("Move the slider. It is blue. A bar grows. Next: notebook 06.")
        [('notes', '<p>Next: notebook 06.</p>\\n'), ('prose', '<p>A bar grows.</p>\\n')]
    """
    if block.startswith(("#", "|", "$$", "```")):
        return [("code", block[4:-4]) if block[0] == "`" else ("prose", markdown2html(block))]
    shown, spoken = [], []
    for line in [] if block.startswith("[![") else block.splitlines():
        mark, text = re.fullmatch(r"(\s*(?:\d+\. |[-*] )?)(.*)", line).groups()
        kept = place = []
        for sentence in ENDS.split(text):
            if ABSENT.match(sentence):
                place = []  # left out
            elif place is kept or not LEANING.match(sentence):
                place = spoken if SPOKEN.match(sentence) else kept
            place.append(sentence)
        # what is left of a list is counted from 1
        shown += [re.sub(r"\d+", "1", mark) + " ".join(kept)] if any(kept) else []
    both = ("notes", " ".join(spoken)), ("prose", "\n".join(shown))
    return [(kind, markdown2html(text)) for kind, text in both if text]
