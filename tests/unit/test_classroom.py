"""What a teacher relies on, read from the files: minutes, memory, exercises, and quizzes
whose answers hold.
"""

import ast
import html
import itertools
import re
import shlex
from collections import Counter

import nbformat
import pytest

from helpers import __main__ as command_line
from helpers import quiz
from helpers._plumbing.files import DATA
from helpers._plumbing.lessons import lesson, lessons
from tests.support.notebook_plugin import ROOT
from tests.tools import measure_notebooks, minutes
from tests.tools.store_outputs import LIVE_VIEW, tags

NOTEBOOKS = minutes.notebooks()
GUIDE = ROOT / "notebooks" / "teaching_guide.md"


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


# ---- minutes and memory


def test_the_printed_minutes_are_the_counted_ones(path):
    counted = minutes.minutes(path)
    for place, printed in minutes.printed(path).items():
        assert printed == counted, f"{place}: run `python -m tests.tools.minutes --write`"


def test_a_core_path_takes_twenty_minutes_and_a_notebook_an_hour(path):
    assert minutes.reading(path, core=True) <= minutes.CORE_AT_MOST, minutes.count(path, core=True)
    assert minutes.reading(path) <= minutes.WHOLE_AT_MOST, minutes.count(path)


def test_what_counts_as_a_minute():
    cells = {
        "words": nbformat.v4.new_markdown_cell("word " * 150),
        "lines": nbformat.v4.new_code_cell("x = 1\n\n" * 10),
        "question": nbformat.v4.new_code_cell('predict("05-1")'),
        "quiz": nbformat.v4.new_code_cell('quiz(\n"05-1"\n)', metadata={"tags": ["widget"]}),
        "answer": nbformat.v4.new_code_cell('compare("05-1", x)', metadata={"tags": ["widget"]}),
        "view": nbformat.v4.new_code_cell("view", metadata={"tags": ["widget"]}),
        "folded": nbformat.v4.new_code_cell("x\nx", metadata={"jupyter": {"source_hidden": True}}),
        "picture": nbformat.v4.new_code_cell("x"),
    }
    png = nbformat.v4.new_output("display_data", data={"image/png": "", "text/html": "<img>"})
    cells["picture"].outputs = [png]
    assert {name: round(sum(minutes.parts(cell).values()), 1) for name, cell in cells.items()} == {
        "words": 1,
        "lines": 1,
        "question": 1.1,
        "quiz": 1.1,
        "answer": 0.1,
        "view": 2.1,
        "folded": 0,
        "picture": 0.6,
    }


def test_every_notebook_is_measured(notebook, path):
    measured = measure_notebooks.table()
    if not measured:
        pytest.skip(
            "nothing is measured yet: run `python -m tests.tools.measure_notebooks`, "
            "on an idle machine"
        )
    assert path.stem in measured, "run `python -m tests.tools.measure_notebooks`"
    assert measure_notebooks.in_words(measured[path.stem]) in measure_notebooks.header(notebook)


def test_only_notebooks_are_measured():
    assert set(measure_notebooks.table()) <= {path.stem for path in NOTEBOOKS}


# ---- quizzes and exercises


def calls(cell, name):
    """The calls of that function in a cell, as syntax trees."""
    tree = ast.parse(re.sub(r"^( *)[%!].*$", r"\1pass", cell.source, flags=re.M))
    called = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    return [node for node in called if node.func.id == name]


def test_every_quiz_has_one_answer_and_a_reason_for_every_choice():
    assert len(lessons("quiz")) > 20
    for name, asked in lessons("quiz").items():
        card, choices = quiz.quiz(name), asked["choices"]
        assert len(choices) >= 3, name
        assert asked["answer"] in choices, name
        assert len(set(choices.values())) == len(choices), name
        for choice, reason in choices.items():
            card.choose(choice)
            assert len(reason) > 20, choice
            assert html.escape(reason) in card.feedback.value, choice
            assert ("Right." in card.feedback.value) == (choice == asked["answer"]), choice


def test_the_answer_is_not_always_at_the_same_place():
    asked = lessons("quiz").values()
    places = Counter(list(one["choices"]).index(one["answer"]) for one in asked)
    assert max(places.values()) <= 0.75 * places.total(), places


def test_what_is_asked_is_one_line_in_view(notebook):
    for cell in code(notebook):
        if calls(cell, "quiz") or calls(cell, "exercise") or calls(cell, "predict"):
            assert "source_hidden" not in cell.metadata.get("jupyter", {}), cell.id
            lines = [line for line in cell.source.splitlines() if line.strip()]
            assert len([line for line in lines if not line.startswith("from ")]) == 1, cell.id


def test_exercises_are_complete(notebook):
    """Difficulty, minutes by the rule, and a check that knows mistakes."""
    stated = [cell.source for cell in notebook.cells if minutes.DIFFICULTY.search(cell.source)]
    checks = [call for cell in code(notebook) for call in calls(cell, "exercise")]
    assert len(stated) == len(checks) > 0
    for source in stated:
        difficulty, about = map(int, minutes.DIFFICULTY.search(source).groups())
        assert about == minutes.EXERCISE[difficulty]
    for call in checks:
        assert len(lesson("exercise", ast.literal_eval(call.args[0]))["mistakes"]) >= 2


def test_predictions_are_shown_again_beside_the_result(notebook):
    first = {"predict": set(), "compare": set()}
    for cell in code(notebook):
        for name, seen in first.items():
            seen.update(ast.literal_eval(call.args[0]) for call in calls(cell, name))
    assert first["predict"] == first["compare"]


# ---- read without a kernel


def test_a_page_stands_wherever_a_view_is_live(notebook):
    """In each section with a live view, what the view would show also stands as a picture or as
    text.
    """
    pages = 0
    for cell in notebook.cells:
        data = [output.get("data", {}) for output in cell.get("outputs", [])]
        if "static" in tags(cell):
            assert any("text/html" in one for one in data) or any(
                "text" in output for output in cell.outputs
            ), cell.id
            pages += 1
        if any(one.get("text/plain") == LIVE_VIEW for one in data):
            assert pages, f"no page stands in for the live view in cell {cell.id}"


# ---- the guide


def test_the_guide_names_headings_and_notebooks_that_exist():
    text = GUIDE.read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\((\d\d_\w+)\.ipynb\)", text))
    assert {name[:2] for name in linked} >= {"01", "05"}
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (GUIDE.parent / link).exists(), link
    headings = {
        cell.source.split("\n")[0].lstrip("# ")
        for path in NOTEBOOKS
        for cell in nbformat.read(path, 4).cells
    }
    plans = "\n".join(re.findall(r"^\| \d:\d\d \|.*$", text, re.M)).replace("**", "")
    named = re.findall(r"\*([^*]+)\*", plans)
    assert len(named) >= 10
    assert set(named) <= headings, set(named) - headings


@pytest.mark.parametrize(
    ("told", "notebook", "shown"),
    [
        ('BERT says "fox" and "drum"', "01", "writes fox.*writes drum"),
        ('gave "cat" 63 %', "01", "pocket-bert guesses 'cat' .62.7%"),
        ('GPT gives "cat" 3 %, the truth is 4 %', "01", r"what comes next\? +3\.3 +3\.7"),
        ("(8 % at temperature 2.)", "05", "possible: from 100 at 0.1 to 8.33 at 2"),
        ("(One text of three says so.)", "05", "renewable energy is bright"),
        ("(Review 2 is open: 63 %.)", "07", "review 2: good; true chance of good: 63.2%"),
    ],
)
def test_the_guide_tells_what_the_pages_show(told, notebook, shown):
    (path,) = [path for path in NOTEBOOKS if path.name.startswith(notebook)]
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    outputs = [output for cell in cells for output in cell.outputs]
    words = " ".join(one.get("text") or one.data["text/plain"] for one in outputs)
    assert told in GUIDE.read_text(encoding="utf-8")
    assert len(re.findall(shown, words, re.S)) == 1


def clocks(text):
    """{plan: minutes from its start, row by row} of a guide.

    Example:
        >>> clocks("## A plan\\n| clock | what |\\n|---|---|\\n| 0:00 | begin |\\n| 1:05 | end |")
        {'A plan': [0, 65]}
    """
    found = {}
    for section in re.split(r"^##+ ", text, flags=re.M):
        rows = re.findall(r"^\| (\d):(\d\d) \|", section, re.M)
        if rows:
            found[section.split("\n")[0]] = [60 * int(h) + int(m) for h, m in rows]
    return found


def test_every_plan_has_a_clock_and_time_left():
    """42 minutes are planned of 50, 76 of 90; a lesson on one notebook takes 35 to 40."""
    plans = clocks(GUIDE.read_text(encoding="utf-8"))
    ends = {name.split(":")[0]: times[-1] for name, times in plans.items()}
    lessons = ("Pre-training (02)", "Emergent abilities (04)", "Fill-mask with BERT (06)")
    assert ends == {"50 minutes": 42, "90 minutes": 76, "Half a day": 240} | dict.fromkeys(
        (*lessons, "Fine-tuning (07)"), 33
    ) | {"Generate text (05)": 36}
    for name, times in plans.items():
        assert times[0] == 0, name
        assert all(a < b for a, b in itertools.pairwise(times)), name


def test_the_homework_runs(tmp_path, monkeypatch, capsys):
    """The programs of the guide in their order, the project with a smaller training."""
    homework = GUIDE.read_text(encoding="utf-8").partition("\n## Homework")[2].partition("\n## ")[0]
    sweep, rules, command, measure = re.findall(r"^```\w*\n(.*?)^```", homework, re.M | re.S)
    rows = shown_by(sweep)
    assert len(rows) == 8
    assert rows.gap.is_monotonic_decreasing
    grammar = (DATA / "pocketweb.grammar").read_text(encoding="utf-8")
    document, nurse = rules.splitlines()
    grammar = re.sub(r"^document:.*\n(?: .*\n)*", f"{document}\n", grammar, flags=re.M)
    grammar = re.sub(r"^subject/nurse.*$", nurse, grammar, flags=re.M)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.grammar").write_text(grammar, encoding="utf-8")
    words, smaller = shlex.split(command), ["--steps", "5", "--n-layer", "1", "--d-model", "16"]
    assert words[:3] == ["python", "-m", "helpers"]
    assert command_line.main([*words[3:], *smaller]) == 0
    capsys.readouterr()
    exec(measure, {})
    jobs, truths, found = zip(*map(str.split, capsys.readouterr().out.splitlines()), strict=True)
    assert jobs == ("nurse", "baker", "driver")
    assert truths == ("0.9", "0.8", "0.5")
    assert all(0 <= float(share) <= 1 for share in found)


def shown_by(source):
    """What a cell with this source shows: its last line is an expression."""
    *lines, last = source.strip().splitlines()
    inside = {}
    exec("\n".join(lines), inside)
    return eval(last, inside)
