"""What a talk shows, and what its speaker's notes hold. `tests/browser/` has the slides."""

import html
import re

import nbformat
import pytest

from helpers._plumbing import talk
from helpers._plumbing.lessons import lesson
from tests.tools import minutes

NUMBERS = [path.stem[:2] for path in minutes.notebooks()]


def markdown(source, *tags):
    return nbformat.v4.new_markdown_cell(source, metadata={"tags": list(tags)})


def code(source, *tags, stored=None):
    data = {"text/html": stored, "text/plain": "x"}
    outputs = [nbformat.v4.new_output("display_data", data=data)] if stored else []
    return nbformat.v4.new_code_cell(source, outputs=outputs, metadata={"tags": list(tags)})


def said(*cells):
    """The blocks of a talk, the text of prose and notes without its marks."""
    plain = {"prose", "notes"}
    return [
        (kind, re.sub("<[^>]+>|&#182;|\n", "", it).strip() if kind in plain else it)
        for kind, it in talk.said_in(cells)
    ]


def test_only_the_core_is_shown():
    assert said(
        markdown("## Run this first\n\nHello.", "core"),
        code("import os", "core", stored="<b>set up</b>"),
        markdown("## One\n\nA word.", "core"),
        code("x = 1", "core", stored="<b>seven</b>"),
        markdown("## Optional: more\n\nAnother."),
        code("y", stored="<b>eight</b>"),
    ) == [("prose", "One"), ("prose", "A word."), ("output", "<b>seven</b>")]


@pytest.mark.parametrize(
    ("text", "kept", "notes"),
    [
        (
            "Move **temperature** up. It is blue. The bar grows.",
            "The bar grows.",
            "",
        ),
        ("A bar. Now press **Step** ten times.", "A bar.", ""),
        ("Type a word into the box.", "", ""),
        ("1. Drag the slider.\n2. Read it.", "Read it.", ""),
        ("**Step** does four things, and **Write** repeats them:", "", ""),
        ("`f` in the next cells is it. Its `n` counts. A bar.", "A bar.", ""),
        ("Each of the next two cells takes a minute.", "", ""),
        ("It is big. Press the button. Until then, read. For all.", "It is big. For all.", ""),
        ("The rest is optional. Next: [x](x.ipynb).", "", "The rest is optional. Next: x."),
        ("**45 minutes** to read. The exercises take 5 minutes more. It needs time.", "", "all"),
        ("**Choose.** Draw one. A moving average.", "Choose. Draw one. A moving average.", ""),
        ("| box | slider |\n|---|---|\n| a | b |", "box  slider  a  b", ""),
        ("[![Open](https://a.example/b.svg)](https://a.example)", "", ""),
    ],
)
def test_what_nobody_can_do_is_left_out_and_what_the_class_need_not_know_is_spoken(
    text, kept, notes
):
    by_kind = dict(said(markdown(text, "core")))
    assert by_kind.get("prose", "") == kept
    assert by_kind.get("notes", "") == (text.replace("*", "") if notes == "all" else notes)


def test_a_list_is_counted_from_one_again():
    cell = markdown("1. Drag the slider.\n2. Read it.\n3. Say it.", "core")
    assert "<ol>" in dict(talk.said_in([cell]))["prose"]
    assert "start" not in dict(talk.said_in([cell]))["prose"]


def test_code_is_on_the_slides_that_ask_for_it():
    printed = nbformat.v4.new_output("stream", text="7\n")
    cell = code("y = 2", "core", "talk-code")
    cell.outputs = [printed]
    assert said(code("x = 1", "core"), cell) == [("code", "y = 2"), ("printed", "7\n")]


def test_a_block_of_the_text_is_shown_but_not_what_is_for_a_terminal():
    cell = markdown(
        "A word. In a terminal, type:\n\n```\nls\n```\n\nA rule:\n\n```\na: b\n```", "core"
    )
    assert said(cell) == [("prose", "A word."), ("prose", "A rule:"), ("code", "a: b")]


def test_a_program_that_the_text_announces_is_shown():
    text = markdown("Most GPT-2 programs look like this.", "core")
    assert said(text, code("x = 1", "core"), code("y = 2", "core"))[1:] == [("code", "x = 1")]


def test_where_a_guess_meets_its_result_nothing_is_shown():
    line = "<p><em>Your guess and the result appear here when the notebook runs.</em></p>"
    assert said(code('x = 1\ncompare("05-1", x)', "core", stored=line)) == []


def test_a_question_is_shown_in_its_place_and_a_quiz_of_an_optional_section_last():
    cells = [
        markdown("## Optional: more"),
        code('quiz("05-1")', "widget", stored="stored"),
        markdown("## Guess", "core"),
        code('import helpers\n\npredict("05-1")', "core", stored="stored"),
    ]
    assert said(*cells) == [
        ("prose", "Guess"),
        ("guess", lesson("guess", "05-1")),
        ("prose", "Check yourself"),
        ("quiz", lesson("quiz", "05-1")),
    ]


@pytest.mark.parametrize("number", NUMBERS)
def test_every_notebook_becomes_one_file(number, tmp_path):
    path = talk.write_talk(number, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [f"talk-{number}.html"]
    assert path.stat().st_size <= 3e6
    page = path.read_text(encoding="utf-8")
    assert "appear here when" not in page
    assert "when it runs" not in page
    assert not re.search(r"\b(src|srcset)=[\"']?(?!data:)\w|<link|@import|url\(", page)
    asked = re.findall(r'^quiz\("', "\n".join(c.source for c in cells_of(number)), re.MULTILINE)
    assert len(asked) == page.count("<p>Right: ") >= 1


def test_the_answers_are_in_the_notes_alone(tmp_path):
    page = html.unescape(talk.write_talk("05", tmp_path).read_text(encoding="utf-8"))
    slides = re.sub("<aside>.*?</aside>", "", page, flags=re.DOTALL)
    for name in ("05-1", "05-2", "05-3"):
        asked = lesson("quiz", name)
        assert asked["question"] in slides
        assert all(f"<li>{choice}</li>" in slides for choice in asked["choices"])
        assert not any(reason in slides for reason in asked["choices"].values())
        assert all(reason in page for reason in asked["choices"].values())
        assert f"<p>Right: {asked['answer']}.</p>" in page


def cells_of(number):
    (path,) = [path for path in minutes.notebooks() if path.stem[:2] == number]
    return nbformat.read(path, as_version=4).cells
