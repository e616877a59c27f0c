"""The house: which room holds what, who may use whom, and how large everything may be.

Sizes are counted in lines of code (no blank line, comment or docstring) after `ruff format` with
100 columns, so that nothing is gained by writing densely.
"""

import ast
import io
import subprocess
import sys
import tokenize
from collections import defaultdict
from functools import cache

import pytest

from tests.support.notebook_plugin import ROOT

TOP_LEVEL = ("LICENSE", "README.md", "helpers", "notebooks", "pyproject.toml", "requirements.txt")
FIVE = ("charts", "fill_mask", "generation", "models", "quiz")  # what a learner takes home
ROOMS = ("_plumbing", "data", "explorers", "lab")
TESTS = ("benchmarks", "browser", "notebook_checks", "support", "tools", "unit")
ALL_CODE, FIVE_CODE, VIEW_CODE, FUNCTION_CODE = 5300, 600, 200, 35  # at most, in lines
# Who stands higher may use who stands lower, and never the reverse; charts may be used by views.
LEVEL = {"_plumbing": 0, "models": 1, "generation": 2, "fill_mask": 2, "lab": 3, "explorers": 4}
MODULES = sorted((ROOT / "helpers").rglob("*.py"))
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
NOT_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
every_module = pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: path.relative_to(ROOT / "helpers").as_posix()
)


@cache
def formatted(path):
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "100", "-"]
    source = path.read_text(encoding="utf-8")
    done = subprocess.run(command, input=source, capture_output=True, text=True, check=True)
    return done.stdout


@cache
def lines_of_code(path):
    """The numbers of the lines that hold code, after formatting."""
    source, code = formatted(path), set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in NOT_CODE:
            code.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node):
            code -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return code


def imported(path):
    """The modules of helpers that a module imports, also inside its functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("helpers"):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("helpers"))


def floor(name):
    """The room or module just below helpers that a dotted name belongs to."""
    return name.split(".")[1] if "." in name else ""


def entries(folder, *ignored):
    return sorted(p.name for p in folder.iterdir() if not p.name.startswith((".", *ignored)))


# ---- rooms


def test_the_top_of_the_repository_is_fixed(repository_files):
    found = {path.relative_to(ROOT).parts[0] for path in repository_files}
    assert {name for name in found if name[0] != "."} == {*TOP_LEVEL, "tests"}


def test_the_top_of_helpers_is_what_a_learner_takes_home():
    modules = {f"{name}.py" for name in (*FIVE, "__init__", "__main__")}
    assert set(entries(ROOT / "helpers", "__pycache__")) == modules | set(ROOMS)


def test_the_tests_have_their_rooms(repository_files):
    inside = [
        p.relative_to(ROOT / "tests") for p in repository_files if ROOT / "tests" in p.parents
    ]
    assert {path.parts[0] for path in inside} == {*TESTS, "__init__.py", "conftest.py"}
    for path in inside:
        test = path.name.startswith("test_")
        assert not test or path.parts[0] in ("unit", "browser", "benchmarks"), path


def test_what_the_live_views_share_begins_with_an_underscore():
    """Every other module of helpers.explorers has one class, a live view."""
    from helpers import explorers
    from helpers.charts import LiveView

    views = {p for p in (ROOT / "helpers" / "explorers").glob("*.py") if p.name[0] != "_"}
    assert len(views) >= 5
    for path in views:
        module = getattr(explorers, path.stem)
        own = [v for v in vars(module).values() if getattr(v, "__module__", "") == module.__name__]
        (live,) = [v for v in own if isinstance(v, type) and issubclass(v, LiveView)]
        assert hasattr(explorers, live.__name__)


# ---- who uses whom


@every_module
def test_imports_go_downstairs(path):
    me = floor("helpers." + ".".join(path.relative_to(ROOT / "helpers").with_suffix("").parts))
    for name in imported(path):
        other = floor(name)
        if me in LEVEL:
            assert other in LEVEL or other == "charts", f"{path.name} imports {name}"
            assert other == "charts" or other == me or LEVEL[other] < LEVEL[me], f"{me}: {name}"
        if me in ("charts", "quiz"):
            assert other in ("charts", "_plumbing"), f"{me} imports {name}"


# ---- sizes


def test_helpers_stay_small():
    sizes = {path.relative_to(ROOT).as_posix(): len(lines_of_code(path)) for path in MODULES}
    assert sum(sizes.values()) <= ALL_CODE, sizes
    five = {name: sizes[f"helpers/{name}.py"] for name in FIVE}
    assert sum(five.values()) <= FIVE_CODE, five
    views = {name: n for name, n in sizes.items() if "/explorers/" in name}
    assert max(views.values()) <= VIEW_CODE, views


@every_module
def test_functions_are_short(path):
    for node in ast.walk(ast.parse(formatted(path))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            inside = [n for n in lines_of_code(path) if node.lineno <= n <= node.end_lineno]
            assert len(inside) <= FUNCTION_CODE, f"{node.name} has {len(inside)} lines"


@every_module
def test_lines_fit_a_hundred_columns(path):
    long = [line for line in path.read_text(encoding="utf-8").splitlines() if len(line) > 100]
    assert not long


def test_the_counting_rule():
    """Density buys nothing, and comments and docstrings cost nothing."""
    path = ROOT / "helpers" / "lab" / "estimates.py"
    code = [formatted(path).splitlines()[n - 1] for n in sorted(lines_of_code(path))]
    assert code[:3] == [
        "from typing import NamedTuple",
        "import numpy as np",
        "class Estimate(NamedTuple):",
    ]


def test_one_screen_shows_how_text_is_generated():
    """`generate_text` and what it calls in its module, but for the checks: at most 60 lines."""
    path = ROOT / "helpers" / "generation.py"
    parts = ("generate_text", "write_tokens", "add_token", "distribution", "kept_by")
    tree = ast.parse(formatted(path))
    spans = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name in parts]
    assert len(spans) == len(parts)
    lines = [n for n in lines_of_code(path) if any(s.lineno <= n <= s.end_lineno for s in spans)]
    assert len(lines) <= 60


# ---- names


def test_a_name_has_one_meaning():
    """No function, class or constant of one module has the name of another one's."""
    defined = defaultdict(list)
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [node.name] if isinstance(node, DOCUMENTED) else []
            if isinstance(node, ast.Assign):
                names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            for name in names:
                defined[name].append(path.name)
    twice = {name: where for name, where in defined.items() if len(where) > 1}
    assert set(twice) == {"__all__"}, twice


def test_no_private_name_is_used_elsewhere():
    """`_name` of a module or an object stays at home, in helpers."""
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("helpers"):
                private = [a.name for a in node.names if a.name[0] == "_" and a.name != "_plumbing"]
                assert not private, f"{path.name} imports {private} of {node.module}"
