"""What holds for every page: a frame that helps, one order, optional sections that say so, and code
in view that is for the reader.
"""

import ast
import re

import nbformat
import pytest

from tests.support.notebook_plugin import ROOT
from tests.tools import address, lines_in_view, minutes
from tests.tools.lines_in_view import kinds_of_lines
from tests.tools.minutes import tags

NOTEBOOKS = minutes.notebooks()
GUIDE = ROOT / "notebooks" / "teaching_guide.md"


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


# ---- the frame


def test_the_set_up_cell_follows_run_this_first(notebook):
    ids = [cell.id for cell in notebook.cells]
    frame = notebook.cells[ids.index("run-first")]
    assert ids.index("setup") == ids.index("run-first") + 1
    assert frame.source.startswith("## Run this first\n")
    assert {"core"} == set(tags(frame))
    for words in (
        "Shift+Enter",
        "Run All",
        "#troubleshooting",
        "#glossary",
        "Error displaying widget",
    ):
        assert words in frame.source, words


def test_run_this_first_is_the_same_everywhere():
    frames = {
        cell.source
        for path in NOTEBOOKS
        for cell in nbformat.read(path, as_version=4).cells
        if cell.id == "run-first"
    }
    assert len(frames) == 1


def test_colab_folds_the_set_up_cell():
    first = address.setup_cell().splitlines()[0]
    assert re.fullmatch(r'#@title .+ \{ display-mode: "form" \}', first)


def test_what_run_this_first_links_to_is_there():
    assert "\n## Troubleshooting\n" in (ROOT / "README.md").read_text(encoding="utf-8")
    glossary = GUIDE.read_text(encoding="utf-8").partition("\n## Glossary\n")[2]
    words = re.findall(r"^\| \*\*(.+?)\*\* \| (.+) \|$", glossary, re.M)
    assert {"token", "logit", "softmax", "temperature", "floor", "nat"} <= {w for w, _ in words}
    assert len(words) <= 20
    assert all(len(meaning.split()) <= 25 for _, meaning in words)


def test_a_link_to_a_heading_finds_it():
    """Links with a # lead to a heading of the file that they name."""
    for source in [*NOTEBOOKS, GUIDE, ROOT / "README.md"]:
        for target, anchor in re.findall(r"\]\(([^)#:\s]*)#([\w-]+)\)", markdown(source)):
            held = source if not target else (source.parent / target).resolve()
            found = re.findall(r"^#+ (.+)$", markdown(held), re.M)
            assert anchor in map(slug, found), f"{source.name}: {target}#{anchor}"


def markdown(path):
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf-8")
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def slug(heading):
    """The anchor that a code host gives a heading.

    Example:
        >>> slug("Why *0* is refused?")
        'why-0-is-refused'
    """
    return re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")


# ---- one order


def test_the_readme_goes_from_01_to_07():
    tables = (ROOT / "README.md").read_text(encoding="utf-8").split("\n\n")
    orders = [re.findall(r"^\| \[(\d\d)\b", table, re.M) for table in tables]
    assert [order for order in orders if order] == [[f"{n:02}" for n in range(1, 8)]] * 2
    assert "start with 05" not in "".join(tables)


def test_every_plan_of_the_guide_goes_forward():
    sections = re.split(r"^##+ ", GUIDE.read_text(encoding="utf-8"), flags=re.M)
    plans = [one for one in sections if re.match(r"\d\d minutes|Half a day|Exercises", one)]
    assert len(plans) == 4
    for plan in plans:
        order = re.findall(r"\]\((\d\d)_\w+\.ipynb\)", plan)
        assert order == sorted(order), plan.split("\n")[0]


def test_one_line_leads_to_the_next_notebook(notebook, path):
    n = int(path.stem[:2])
    last = [cell.source.splitlines()[-1] for cell in notebook.cells if is_text(cell)]
    (following,) = [line.split("Next: ")[1] for line in last if "Next: " in line]
    linked = re.findall(r"\]\(([^)]+)\)", following)
    if n == len(NOTEBOOKS):
        assert linked
        assert all(not link.endswith(".ipynb") for link in linked)
    else:
        assert linked == [NOTEBOOKS[n].name]


# ---- the core is visible


def sections(notebook):
    """(level, heading, whether there is a core cell in it) of each section below the title.

    A section goes on to the next heading of its level, or of a higher one.

    Example:
        >>> cells = [nbformat.v4.new_markdown_cell("## a"), nbformat.v4.new_markdown_cell("### b")]
        >>> cells[1].metadata["tags"] = ["core"]
        >>> list(sections(nbformat.v4.new_notebook(cells=cells)))
        [(2, 'a', True), (3, 'b', True)]
    """
    found = []  # [level, heading, core] of what stands below each heading itself
    for cell in notebook.cells:
        heads = re.findall(r"^(##+) (.+)$", cell.source, re.M) if is_text(cell) else []
        found += [[len(marks), heading, "core" in tags(cell)] for marks, heading in heads]
        if found and "core" in tags(cell):
            found[-1][2] = True
    for i, (level, heading, core) in enumerate(found):
        for below, _, core_below in found[i + 1 :]:
            if below <= level:
                break
            core = core or core_below
        yield level, heading, core


def is_text(cell):
    return cell.cell_type == "markdown"


def test_a_section_without_core_cells_says_optional(notebook):
    found = list(sections(notebook))
    assert len(found) >= 8
    for _, heading, core in found:
        assert heading.startswith("Optional: ") == (not core), heading


def names_bound_and_used(source):
    nodes = list(ast.walk(ast.parse(re.sub(r"^( *)[%!].*$", r"\1pass", source, flags=re.M))))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    bound = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    bound |= {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    for node in nodes:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            bound |= {a.asname or a.name.partition(".")[0] for a in node.names}
    arguments = {node.arg for node in nodes if isinstance(node, ast.arg)}
    return bound, {node.id for node in names if isinstance(node.ctx, ast.Load)} - arguments


def test_the_core_path_runs_alone(notebook):
    """No core cell uses a name that only an optional cell has bound."""
    core, everything = set(), set()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            bound, used = names_bound_and_used(cell.source)
            everything |= bound
            if "core" in tags(cell):
                core |= bound
                assert not (used & everything) - core, (cell.id, (used & everything) - core)


def test_the_core_answers_what_it_asks(notebook):
    """Each prediction of the core path is compared there, and each of the others is not."""
    asked = {"predict": set(), "compare": set()}
    for cell in notebook.cells:
        for name, key in re.findall(r'\b(predict|compare)\(\s*"([^"]+)"', cell.source):
            if cell.cell_type == "code" and "core" in tags(cell):
                asked[name].add(key)
    assert asked["predict"] == asked["compare"]


# ---- code in view


def test_lines_in_view_are_for_the_reader(notebook, path):
    n, counted = path.stem[:2], lines_in_view.count(notebook)
    least = lines_in_view.READER_AT_LEAST.get(n, lines_in_view.READER_ELSEWHERE)
    assert counted["reader"] >= least, counted
    assert lines_in_view.share(counted) >= lines_in_view.SHARE_AT_LEAST, counted


def test_lines_in_view_are_narrow(notebook):
    assert lines_in_view.wide_lines(notebook) == []


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ("import math", ["import"]),
        ("try:\n    import math\nexcept ImportError:\n    import cmath", ["import"] * 4),
        ("assert x", ["assert"]),
        ('predict("05-1")', ["wiring"]),
        ("box = widgets.VBox(\n    [slider]\n)", ["wiring"] * 3),
        ("slider.observe(print)", ["wiring"]),
        ("model", ["wiring"]),
        ('print(f"{x:.1%}")', ["format"]),
        ('for x in xs:\n    print(f"{x:.1%}")', ["format"] * 2),
        ('for x in xs:\n    y = f(x)\n    print("y is", y)', ["reader", "reader", "format"]),
        ('print(generate_text(lm, "The cat"))', ["reader"]),
        ('for x in generate(lm):\n    print(f"{x}")', ["reader", "format"]),
        ("print(x)", ["reader"]),
        ("table.round(2)", ["format"]),
        ("scores = logits[0, -1]", ["reader"]),
        ("x = 1\n\n# why\ny = 2", ["reader"] * 2),
        ("line_chart(\n    xs,\n    ys,\n)", ["reader"]),
        ("%pip install x", ["reader"]),
    ],
)
def test_the_kind_of_a_line(source, kinds):
    assert list(kinds_of_lines(source).values()) == kinds


def test_only_core_cells_in_view_are_counted():
    def cell(source, tags=("core",), **metadata):
        return nbformat.v4.new_code_cell(source, metadata={"tags": list(tags), **metadata})

    folded = cell("x = 1", jupyter={"source_hidden": True})
    page = nbformat.v4.new_notebook(cells=[cell("x = 1\nx"), cell("y = 1", ()), folded])
    assert dict(lines_in_view.count(page)) == {"reader": 1, "wiring": 1}
    assert lines_in_view.share(lines_in_view.count(page)) == 0.5
    assert lines_in_view.wide_lines(nbformat.v4.new_notebook(cells=[cell("x" * 89)]))
