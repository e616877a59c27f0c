"""The lessons of the notebooks: complete, right, and given away on no page."""

import ast
import html
import itertools
import json
import re
import tomllib

import nbformat
import pytest

from helpers import quiz
from helpers._plumbing.lessons import FOLDER, finding, judge, lesson, lessons
from helpers.lab import pocketweb
from helpers.lab.echo import games
from tests.support.notebook_plugin import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
KIND_OF = {"quiz": "quiz", "predict": "guess", "compare": "guess", "exercise": "exercise"}
KEYS = {
    "quiz": {"question", "choices", "answer"},
    "guess": {"question", "choices", "unit", "label"},
    "exercise": {"question", "hint", "solution", "cases", "mistakes", "right"},
}
# {a guess: what could be measured}: of these values each fits one choice, and each choice some
SHARES = [0.0, 0.02, 0.04, 0.06, 0.3, 0.5, 0.51, 0.7, 1.0]
MEASURABLE = {
    "01-1": list(itertools.product(SHARES, SHARES)),
    "01-2": [-1, -0.5, -0.001, -1e-6, 0, 1e-6, 0.001, 0.2, 1],
    "02-2": [-2, -0.01, 0, 0.01, 2],
    "02-3": [-10, -2.1, -2, 0, 2, 2.1, 10],
    "03-1": [-0.1, 0, 0.01, 0.049, 0.05, 0.16, 0.33, 0.5, 0.7, 0.9],
    "03-3": [-0.5, -0.05, -0.049, 0.0, 0.049, 0.05, 0.08, 0.2],
    "03-5": [0.4, 1.0, 1.5, 2.0, 2.24],
    "04-1": list(itertools.product([-0.2, 0.0, 0.1, 0.8], [0.0, 0.05, 0.2, 0.9])),
    "04-2": list(itertools.product(SHARES, SHARES)),
}
every_page = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
every_exercise = pytest.mark.parametrize("name", lessons("exercise"))


def code(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def asked(cell):
    """(function, name) of each question in a cell."""
    tree = ast.parse(re.sub(r"^( *)[%!].*$", r"\1pass", cell.source, flags=re.M))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) in KIND_OF:
            yield node.func.id, ast.literal_eval(node.args[0])


def function(source, name):
    """A function of a lesson, from its text."""
    inside = {}
    exec(source, inside)
    return inside[name]


# ---- the files


def test_there_is_a_file_for_each_notebook():
    assert [path.stem for path in sorted(FOLDER.iterdir())] == [p.name[:2] for p in NOTEBOOKS]


@every_page
def test_a_page_asks_each_of_its_lessons_once(path):
    calls = [call for cell in code(path) for call in asked(cell)]
    for what, kind in KIND_OF.items():
        names = [name for function, name in calls if function == what]
        known = [name for name in lessons(kind) if name.startswith(path.name[:2])]
        assert names == known if what != "compare" else sorted(names) == known, what
    first = {call: place for place, call in enumerate(calls)}
    for what, name in calls:
        if what == "compare":
            assert first["predict", name] < first["compare", name], name


def test_lessons_have_what_they_need_and_nothing_else():
    for path in FOLDER.iterdir():
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        assert set(tables) == set(KEYS), path.name
        for kind, keys in KEYS.items():
            optional = {"choices", "unit", "label"} if kind == "guess" else {"right"}
            for number, table in tables[kind].items():
                assert keys - optional <= set(table) <= keys, f"{path.stem}-{number}"
    for name, table in lessons("guess").items():
        assert ("choices" in table) != ("unit" in table), name


def test_each_measurement_fits_one_choice_and_each_choice_can_be_right():
    chosen = {name for name, table in lessons("guess").items() if "choices" in table}
    assert set(MEASURABLE) == chosen
    for name, values in MEASURABLE.items():
        table, found = lesson("guess", name), set()
        for value in values:
            conditions = table["choices"].values()
            assert sum(bool(eval(one, {"measured": value})) for one in conditions) == 1, value
            found.add(finding(table, value))
        assert found == set(table["choices"]), name


# ---- the exercises


@every_exercise
def test_the_solution_solves_the_exercise(name):
    solution = function(lesson("exercise", name)["solution"], "solution")
    assert quiz.exercise(name, solution).verdict.startswith("Solved. Right in all")


@every_exercise
def test_every_mistake_gets_its_own_diagnosis(name):
    exercise = lesson("exercise", name)
    assert len(exercise["mistakes"]) >= 2
    before = exercise.get("right", "") + exercise["solution"]
    for diagnosis, source in exercise["mistakes"].items():
        assert judge(exercise, function(before + source, "mistake")) == ("Not yet.", diagnosis)


@every_page
def test_the_stub_of_the_page_is_the_readers_turn(path):
    stubs = {cell.id: cell.source for cell in code(path) if cell.id.endswith("-stub")}
    for cell in code(path):
        for what, name in asked(cell):
            if what == "exercise":
                mine = cell.source.removesuffix(")").rpartition(", ")[2]
                stub = function(stubs[cell.id.replace("-try", "-stub")], mine)
                assert judge(lesson(what, name), stub)[0] == "Your turn."


def test_the_induction_head_by_hand_plays_without_a_mistake():
    says_next = function(lesson("exercise", "04-2")["solution"], "solution")
    ids, certain = games(50, seed=7)
    for game, sure in zip(ids.tolist(), certain.tolist(), strict=True):
        places = [place for place in range(63) if sure[place]]
        assert places
        assert all(says_next(game[: place + 1]) == game[place + 1] for place in places)


def test_the_best_reader_by_hand_agrees_with_the_grammar():
    best_reader = function(lesson("exercise", "07-1")["solution"], "solution")
    text = (
        "Review: We went to a cafe. The cake was lovely. The waiter was rude. I would come again."
    )
    truth = pocketweb.next_token(text + "\nVerdict:")[" good"]
    assert best_reader([(0.84, 0.16), (0.16, 0.84), (0.9, 0.1)]) == pytest.approx(truth)


# ---- the pages


def normal(text):
    """A text without markup, quotes and white space that could hide it.

    Example:
        >>> normal("<b>a&nbsp;b</b> \\"c\\"")
        'abc'
    """
    text = html.unescape(re.sub(r"<[^>]*>", "", text.replace("\\n", "").replace('\\"', '"')))
    return re.sub(r"[\s\"'`*_\\]", "", text).lower()


def secrets(number):
    """What no page of a notebook may hold: (lesson, text)."""
    for kind in KEYS:
        for name, table in lessons(kind).items():
            if name.startswith(number):
                hidden = [] if kind == "exercise" else list(table.get("choices", {}).values())
                if kind == "exercise":
                    hidden = [table["hint"], *table["mistakes"]]
                    # a line of a solution that does something, and not `import math`
                    hidden += [line for line in table["solution"].splitlines() if len(line) > 25]
                yield from ((f"{kind} {name}", text) for text in hidden)


@every_page
def test_no_page_gives_an_answer_away(path):
    page = nbformat.read(path, as_version=4)
    for cell in page.cells:
        text = normal(cell.source + json.dumps(cell.get("outputs", []), ensure_ascii=False))
        for name, hidden in secrets(path.name[:2]):
            if hidden.startswith("def solution("):
                continue
            assert normal(hidden) not in text, f"cell {cell.id} gives {name} away: {hidden}"


@every_page
def test_what_asks_and_what_answers_holds_no_choice_and_stores_no_result(path):
    for cell in code(path):
        for what, name in asked(cell):
            table = lesson(KIND_OF[what], name)
            source = normal(cell.source)
            long = [choice for choice in table.get("choices", {}) if len(choice) > 4]
            given = {"exact match", "token probability"}  # the names of two rulers
            assert not [c for c in long if c not in given and normal(c) in source], cell.id
            for output in cell.outputs:
                assert output.output_type == "display_data", cell.id
                shown = re.sub(r"<[^>]+>", " ", output.data["text/html"])
                if what == "compare":
                    assert shown.split() == still(quiz.compare(name, MEASURABLE.get(name, [1])[0]))
                elif what == "exercise":
                    assert shown.split() == still(quiz.exercise(name, lambda *_: None))
                else:
                    assert shown.split() == still(getattr(quiz, what)(name))


def still(card):
    """The words that a card stores."""
    return re.sub(r"<[^>]+>", " ", card.still.html).split()
