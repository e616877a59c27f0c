"""Count the lines of code in view on each core path, and how many are for the reader.

    python -m tests.tools.lines_in_view

A page shows code so that a learner can read it, change it and take it home. In view is every core
cell that is not folded. Blank lines and comments do not count. Every other line is of one kind, and
its syntax alone says which:

- *import*: an import, or a `try` that holds nothing else;
- *assert*;
- *wiring*: a call of a function in `WIRING`, as a statement or as what a name is set to, and a bare
  name that stands alone so that the page shows its value;
- *format*: a statement that only lays out what is already computed: a `print`, a value that the
  page shows, or a loop of nothing but these. It contains a text or a call of `ARRANGING`, and calls
  nothing else but `print` and what is in `HARMLESS`;
- *reader*: all the rest. The call of a view or a chart (`VIEW`) is one line, however it is broken.

The share is the reader's lines divided by all of them.
"""

import ast
import re
from collections import Counter

import nbformat

from tests.tools.minutes import notebooks, tags

SHARE_AT_LEAST = 2 / 3
READER_AT_LEAST = {"05": 40}  # and elsewhere:
READER_ELSEWHERE = 25
WIDTH = 88  # columns at most of a line in view
WIRING = {"predict", "compare", "quiz", "exercise", "guess", "observe", "display", "clear_output"}
WIRING |= {"HBox", "VBox", "Box", "GridBox", "Accordion", "Tab", "Layout", "interact", "Output"}
ARRANGING = {"format", "join", "ljust", "rjust", "center", "round", "rename", "to_frame"}
ARRANGING |= {"DataFrame", "Series", "Index"}
HARMLESS = {"print", "len", "str", "repr", "int", "list", "dict", "zip", "enumerate", "range"}
HARMLESS |= {"sorted", "items", "values", "replace", "strip", "upper", "lower", "head"}
VIEW = re.compile(r"\w*Explorer$|\w+_picture$|\w+_chart$")


def called(node):
    """The last part of a called function's name.

    Example:
        >>> called(ast.parse("widgets.HBox([])", mode="eval").body)
        'HBox'
    """
    return getattr(node.func, "id", getattr(node.func, "attr", ""))


def calls(node):
    return [one for one in ast.walk(node) if isinstance(one, ast.Call)]


def is_wiring(node):
    value = getattr(node, "value", None)
    if isinstance(node, ast.Expr) and isinstance(value, ast.Name):
        return True
    simple = isinstance(node, (ast.Expr, ast.Assign))
    return simple and isinstance(value, ast.Call) and called(value) in WIRING


def only_formats(node):
    """True for `print(f"{x:.1f}")` and a table that is rounded, not for `print(generate(...))`."""
    if isinstance(node, ast.For):
        names = {called(call) for call in calls(node.iter)}
        return names <= HARMLESS and all(map(only_formats, node.body))
    if not isinstance(node, ast.Expr):
        return False
    names = {called(call) for call in calls(node)}
    text = any(
        isinstance(one, ast.JoinedStr) or isinstance(getattr(one, "value", None), str)
        for one in ast.walk(node)
    )
    return (text or bool(names & ARRANGING)) and names <= ARRANGING | HARMLESS


def simple_kind(node):
    """The kind of a statement that holds no other one."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return "import"
    if isinstance(node, ast.Assert):
        return "assert"
    if is_wiring(node):
        return "wiring"
    return "format" if only_formats(node) else "reader"


def inside(node):
    """The statements that a compound statement holds."""
    blocks = [getattr(node, name, []) for name in ("body", "orelse", "finalbody")]
    blocks += [handler.body for handler in getattr(node, "handlers", [])]
    return [statement for block in blocks for statement in block]


def mark(node, code, kinds):
    """Enter into {line: kind} the lines of a statement that hold code."""
    held = inside(node)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    if not held or only_formats(node):
        kind, last = simple_kind(node), node.end_lineno
        value = getattr(node, "value", None)
        if isinstance(value, ast.Call) and VIEW.match(called(value)):
            last = node.lineno
        for line in range(node.lineno, node.end_lineno + 1):
            kinds.pop(line, None)
        kinds.update({n: kind for n in range(node.lineno, last + 1) if n in code})
        return
    for statement in held:
        mark(statement, code, kinds)
    below = {n for one in held for n in range(one.lineno, one.end_lineno + 1)}
    found = {kinds[n] for n in below if n in kinds}
    follows = isinstance(node, (ast.Try, ast.If)) and len(found) == 1  # a frame around the rest
    head = found.pop() if follows else "reader"
    own = set(range(node.lineno, node.end_lineno + 1)) - below
    kinds.update({n: head for n in own if n in code})


def kinds_of_lines(source):
    """{number of a line: its kind} for the code of one cell.

    Example:
        >>> kinds_of_lines("import math\\n\\n# why\\nx = math.pi\\nprint(f'{x:.2f}')\\nx")
        {1: 'import', 4: 'reader', 5: 'format', 6: 'wiring'}
        >>> kinds_of_lines("bar_chart(\\n    {'a': 1},\\n)")
        {1: 'reader'}
    """
    source = re.sub(r"^( *)[%!].*$", r"\1pass", source, flags=re.M)
    lines = enumerate(source.splitlines(), 1)
    code = {n for n, line in lines if line.strip() and not line.lstrip().startswith("#")}
    kinds = {}
    for statement in ast.parse(source).body:
        mark(statement, code, kinds)
    return dict(sorted(kinds.items()))


def in_view(notebook):
    """The core cells whose code a reader sees."""
    return [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code"
        and "core" in tags(cell)
        and not cell.metadata.get("jupyter", {}).get("source_hidden")
    ]


def count(notebook):
    """{kind: lines} on the core path of a notebook."""
    return Counter(
        kind for cell in in_view(notebook) for kind in kinds_of_lines(cell.source).values()
    )


def share(counted):
    return counted["reader"] / max(1, counted.total())


def wide_lines(notebook):
    """The lines in view, core or not, that are longer than `WIDTH`."""
    cells = [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and not cell.metadata.get("jupyter", {}).get("source_hidden")
    ]
    return [line for cell in cells for line in cell.source.splitlines() if len(line) > WIDTH]


def main():
    print(f"{'':28} reader    of  share  wide  not for the reader")
    for path in notebooks():
        notebook = nbformat.read(path, as_version=4)
        counted = count(notebook)
        rest = ", ".join(f"{kind} {n}" for kind, n in counted.items() if kind != "reader")
        print(
            f"{path.stem:28} {counted['reader']:6} {counted.total():5} {share(counted):6.0%} "
            f"{len(wide_lines(notebook)):5}  {rest}"
        )


if __name__ == "__main__":
    main()
