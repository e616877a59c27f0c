"""A notebook's core path as a talk: one HTML file that needs no network.

What is said on the page is on the slides, what only the speaker needs is in the notes: instructions
for controls that a slide does not have, the answers of quizzes and their reasons. Code is left out,
except that of cells with the tag `talk-code`. `helpers/data/classroom/talk.html` lays the blocks
out where the file is opened: it measures them, and begins a new slide where one is full.
"""

import base64
import html
import io
import re

from bs4 import BeautifulSoup
from matplotlib.figure import Figure
from nbconvert.filters import markdown2html

from helpers._plumbing.classroom import filled_in, lessons_asked, notebook_of
from helpers._plumbing.files import writable_folder, written_whole
from helpers._plumbing.lessons import lesson

SPOKEN = re.compile(  # what a listener cannot do, or need not know
    r"""\W*(?:(?:then|now|first|next|or|and),?\ )*(?:move|press|click|drag|tick|untick|scroll|type
        |go\ back|watch|run|open|hover|slide|change|pick\ another|come\ back)\b
    |.*\b(?:sliders?|buttons?|shift\+enter|box|dropdown|run\ all|minutes\*\*\ to\ read
        |minutes\ more|cells?\ (?:below|above)|(?:next|this|last|following)\ cells?)\b
    |\*\*It\ needs\*\*|The\ rest\ is\ optional|Next:""",
    re.IGNORECASE | re.VERBOSE,
)
ABSENT = "(code)"  # in the place of code that is not on the slide
LEANING = re.compile(
    r"\W*(?:It|Its|They|Their|This|That|These|There|Then|Each|Until then|The cells)\b"
)
ENDS = re.compile(r"(?:(?<=[.?:])|(?<=[.?:]\*)|(?<=[.?:]\*\*))(?<!\.\.\.)\s+(?=[\W_]*[A-Z])")


def write_talk(number, folder="."):
    """Write `talk-NN.html` into `folder`, and return its path.

    Raises:
        ValueError: no notebook has this number, or nothing can be written to the folder.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_talk("05", folder).name
        'talk-05.html'
    """
    notebook, path = notebook_of(number)
    title = notebook.cells[0].source.partition("\n")[0].lstrip("# ")
    page = filled_in("talk.html", title=title, sections=sections(notebook))
    path = writable_folder(folder) / f"talk-{path.name[:2]}.html"
    with written_whole(path) as part:
        part.write_text(page, encoding="utf-8")
    return path


def sections(notebook):
    """The talk as a list of sections, each a list of HTML blocks that begins with its heading."""
    found, asked, heading = [], [], ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("#"):
            heading = cell.source.partition("\n")[0]
        core = "core" in cell.metadata.get("tags", []) and heading != "## Run this first"
        if cell.cell_type == "code" and (core or lessons_asked(cell, "quiz")):
            (found[-1] if core else asked).extend(_of_code(cell))
        elif core:
            blocks = list(_of_prose(cell.source))
            if not found or (blocks and blocks[0].startswith(("<h1", "<h2"))):
                found.append([])
            found[-1] += blocks
    if asked:
        found.append(["<h2>Check yourself</h2>", *asked])
    return [_promises_kept(blocks) for blocks in found]


def _of_prose(source):
    """The blocks of a text: headings, paragraphs, lists and tables; instructions are notes."""
    source = re.sub(r"^```.*?^```", ABSENT, source, flags=re.DOTALL | re.MULTILINE)
    for block in re.split(r"\n{2,}", source.strip()):
        if formula := re.fullmatch(r"\$\$(.+)\$\$", block, re.DOTALL):
            yield _formula(formula[1])
        elif block == ABSENT or block.startswith(("#", "|")):
            yield _rendered(block)
        elif not block.startswith("[!["):
            shown, spoken = _shared_out(block)
            yield from [f"<aside>{_rendered(spoken)}</aside>"] if spoken else []
            yield from [_rendered(shown)] if shown else []


def _shared_out(block):
    """The lines of a paragraph or list as (what is shown, what the speaker says).

    A sentence that leans on one that is not shown goes with it.

    Example:
        >>> _shared_out("1. Move the slider. It is blue.\\n2. Read it aloud.")
        ('1. Read it aloud.', 'Move the slider. It is blue.')
    """
    shown, spoken = [], []
    for line in block.splitlines():
        mark, text = re.fullmatch(r"(\s*(?:\d+\. |[-*] )?)(.*)", line).groups()
        mark = re.sub(r"\d+", "1", mark)  # what is left is counted from 1
        kept, taken = [], False
        for sentence in ENDS.split(text):
            taken = bool(SPOKEN.match(sentence) or (taken and LEANING.match(sentence)))
            (spoken if taken else kept).append(sentence)
        shown += [mark + " ".join(kept)] if any(kept) else []
    return "\n".join(shown), " ".join(spoken)


def _rendered(text):
    """Markdown as HTML, its links to files of the repository as plain text."""
    soup = BeautifulSoup(markdown2html(text), "html.parser")
    for link in soup.find_all("a"):
        if "anchor-link" in link.get("class", []):
            link.decompose()
        elif not link["href"].startswith("http"):
            link.unwrap()
    for table in soup.find_all("table"):
        table.wrap(soup.new_tag("figure"))
    return str(soup).strip()


def _formula(tex):
    """A formula as a picture, since a slide has no program that could set it."""
    file, figure = io.BytesIO(), Figure()
    figure.text(0, 0, f"${' '.join(tex.split())}$", fontsize=24)
    figure.savefig(file, format="png", dpi=144, bbox_inches="tight")
    image = base64.b64encode(file.getvalue()).decode()
    alt = html.escape(tex.strip())
    return f'<figure><img alt="{alt}" src="data:image/png;base64,{image}" height="32"></figure>'


def _of_code(cell):
    """The blocks of a code cell: what it asks, its code where it has the tag, and its outputs."""
    asked = [(kind, name) for kind in ("quiz", "guess") for name in lessons_asked(cell, kind)]
    if asked:
        for kind, name in asked:
            yield from _question(kind, lesson(kind, name))
        return
    if "talk-code" in cell.metadata.get("tags", []):
        yield _typewritten(cell.source, "code")
    for output in cell.outputs:
        data = output.get("data", {})
        if "text/html" in data:
            yield from _picture(data["text/html"])
        elif text := output.get("text") or data.get("text/plain"):
            yield _typewritten(text, "printed")


def _question(kind, asked):
    choices = asked.get("choices", {})
    shown = [f"<p>{html.escape(asked['question'])}</p>"]
    shown += [f"<p>Your guess, in {html.escape(asked['unit'])}?</p>"] if not choices else []
    listed = "".join(f"<li>{html.escape(choice)}</li>" for choice in choices)
    yield f'<div class="question">{"".join(shown)}<ul>{listed}</ul></div>'
    notes = ["Take the guesses now. The notebook measures the answer when it runs."]
    if kind == "quiz":
        notes = [f"Right: {asked['answer']}.", *(f"{one}: {why}" for one, why in choices.items())]
    yield "<aside>" + "".join(f"<p>{html.escape(note)}</p>" for note in notes) + "</aside>"


def _typewritten(text, kind):
    """Lines of code or output. Code is never smaller than 19 pixels; a letter is 0.6 of it wide."""
    lines = text.strip("\n").split("\n")
    fitting = 1650 // max(map(len, lines))
    size = min(27, fitting if kind == "printed" and fitting >= 15 else max(19, fitting))
    inside = "".join(f"<div>{html.escape(line) or ' '}</div>" for line in lines)
    return f'<pre class="{kind}" style="font-size:{size}px">{inside}</pre>'


def _picture(stored):
    """The parts of an output, without the sentences that say what a click or a run would do."""
    soup = BeautifulSoup(stored, "html.parser")
    for one in soup.select("style, p:has(> em:only-child)"):
        if one.name == "style" or re.search(r"\b[Rr]uns?\b", one.text):
            one.decompose()
    captions = ""
    parts = soup.find_all(True, recursive=False)
    for part in parts:
        captions += str(part)
        if part.name != "p" or part is parts[-1]:  # a caption goes with what it is above
            kind = "figure" if re.search("<(table|img)", captions) else "cards"
            yield f'<figure class="{kind}">{captions}</figure>'
            captions = ""


def _promises_kept(blocks):
    """The blocks, a last sentence with a colon as a note where what it announces is not there."""
    blocks, kept = [block for block in blocks if block], []
    for block, after in zip(blocks, [*blocks[1:], ABSENT], strict=True):
        promise = re.fullmatch(r"<p>(.*[.?]\s)?([^.?]*:)</p>", block, re.DOTALL)
        if promise and (ABSENT in after or after.startswith("<p>")):
            kept += [f"<p>{promise[1].strip()}</p>"] if promise[1] else []
            kept.append(f"<aside><p>{promise[2]}</p></aside>")
        elif ABSENT not in block:
            kept.append(block)
    return kept
