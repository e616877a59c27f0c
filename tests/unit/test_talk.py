"""What a talk shows, what its speaker's notes hold, and what a wrong number is told."""

import os
import re

import nbformat
import pytest

from helpers import __main__ as command_line
from helpers._plumbing import classroom, talk
from helpers._plumbing.lessons import lesson
from tests.tools import minutes

NUMBERS = [path.stem[:2] for path in minutes.notebooks()]


def markdown(source, *tags):
    return nbformat.v4.new_markdown_cell(source, metadata={"tags": list(tags)})


def code(source, *tags, **data):
    outputs = (
        [nbformat.v4.new_output("display_data", data={"text/html": data["html"]})] if data else []
    )
    return nbformat.v4.new_code_cell(source, outputs=outputs, metadata={"tags": list(tags)})


def shown(*cells):
    """The blocks of a talk: what is on the slides, and the text of the notes."""
    notebook = nbformat.v4.new_notebook(cells=[markdown("# Title", "core"), *cells])
    blocks = [block for section in talk.sections(notebook) for block in section][1:]
    notes = [re.sub("<[^>]+>", "", block) for block in blocks if block.startswith("<aside>")]
    return [block for block in blocks if not block.startswith("<aside>")], notes


def test_only_the_core_is_shown():
    blocks, notes = shown(
        markdown("## Run this first\n\nHello.", "core"),
        code("import os", "core", html="<b>set up</b>"),
        markdown("## One\n\nA word.", "core"),
        code("x = 1", "core", html="<b>seven</b>"),
        markdown("## Optional: more\n\nAnother."),
        code("y", html="<b>eight</b>"),
    )
    assert notes == []
    assert [re.sub("<[^>]+>", "", block) for block in blocks] == ["One", "A word.", "seven"]


@pytest.mark.parametrize(
    ("text", "kept", "said"),
    [
        ("Move **temperature** up. It is blue. The bar grows.", "The bar grows.", "It is blue."),
        ("A bar. Now press **Step** ten times.", "A bar.", "Now press"),
        ("Type a word into the box.", "", "Type a word"),
        ("1. Drag the slider.\n2. Read it aloud.", "Read it aloud.", "Drag"),
        ("The rest is optional. Next: [x](x.ipynb) fills blanks.", "", "Next: x fills"),
        ("**Choose.** Draw one token. A moving average runs.", "**Choose.** Draw one", ""),
    ],
)
def test_what_a_listener_cannot_do_is_for_the_speaker(text, kept, said):
    blocks, notes = shown(markdown(text, "core"))
    plain = re.sub("</?(p|li|ol)>|\n", "", "".join(blocks)).replace("<strong>", "**")
    assert plain.replace("</strong>", "**").startswith(kept)
    assert bool(plain) == bool(kept)
    assert said in " ".join(notes)
    assert bool(notes) == bool(said)


def test_code_is_on_the_slides_that_ask_for_it():
    blocks, _ = shown(code("x = 1 < 2", "core"), code("y = 2", "core", "talk-code"))
    assert len(blocks) == 1
    assert "<div>y = 2</div>" in blocks[0]
    assert 'class="code"' in blocks[0]


def test_a_sentence_that_announces_code_goes_with_it():
    blocks, notes = shown(markdown("A word. Type this:\n\n```\npython -m helpers\n```", "core"))
    assert (blocks, notes) == (["<p>A word.</p>"], ["Type this:"])
    blocks, notes = shown(markdown("The sum:", "core"), code("x", "core", html="<b>7</b>"))
    assert (len(blocks), notes) == (2, [])


def test_the_answers_are_in_the_notes_alone():
    blocks, (notes,) = shown(markdown("## Optional: more"), code('quiz("05-1")'))
    asked = lesson("quiz", "05-1")
    page = "".join(blocks)
    assert page.startswith("<h2>Check yourself</h2>")
    assert asked["question"] in page
    assert all(f"<li>{choice}</li>" in page for choice in asked["choices"])
    assert not any(reason in page for reason in asked["choices"].values())
    assert all(reason in notes for reason in asked["choices"].values())
    assert f"Right: {asked['answer']}." in notes


def test_a_still_loses_the_sentence_about_a_run():
    still = "<p><em>A slider. Run the notebook to move it.</em></p><div style='x'>bars</div>"
    blocks, _ = shown(code("view", "core", "widget", html=still))
    assert blocks == ['<figure class="cards"><div style="x">bars</div></figure>']
    assert shown(code("view", "core", html="<p><em>Run this cell to check.</em></p>"))[0] == []


@pytest.mark.parametrize("number", NUMBERS)
def test_every_notebook_becomes_one_file(number, tmp_path):
    path = talk.write_talk(number, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [f"talk-{number}.html"]
    assert path.stat().st_size <= 3e6
    page = path.read_text(encoding="utf-8")
    assert not re.search(r"(src|srcset)=[\"']?(?!data:)\w|<link|@import|url\(", page)
    cells = classroom.notebook_of(number)[0].cells
    quizzes = [name for cell in cells for name in classroom.lessons_asked(cell, "quiz")]
    assert quizzes
    assert page.count("<p>Right: ") == len(quizzes)


# ---- what is wrong is told in one line, and nothing is left


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def status_and_sentence(*arguments):
        status = command_line.main(list(arguments))
        out, err = capsys.readouterr()
        assert err.count("\n") == (status != 0)
        return status, out + err

    return status_and_sentence


def test_the_command_writes_into_the_current_folder(run, tmp_path):
    status, said = run("talk", "5")
    assert status == 0
    assert said.startswith("talk-05.html: open it in a browser.")
    assert (tmp_path / "talk-05.html").exists()


@pytest.mark.parametrize("number", ["08", "x", "", "-1", "../05", "0*"])
def test_an_unknown_number(run, number, tmp_path):
    status, said = run("talk", "--", number)
    assert (status, said) == (
        2,
        f"There is no notebook {number!r}. There are: {', '.join(NUMBERS)}.\n",
    )
    assert not list(tmp_path.iterdir())


def test_outside_the_repository(run, monkeypatch, tmp_path):
    monkeypatch.setattr(classroom, "REPOSITORY", tmp_path)
    status, said = run("talk", "05")
    assert status == 2
    assert said.startswith("There are no notebooks here. Run this command in a copy")


@pytest.mark.skipif(os.name != "posix" or not os.geteuid(), reason="for root nothing is closed")
def test_a_folder_that_cannot_be_written(run, tmp_path):
    tmp_path.chmod(0o500)
    status, said = run("talk", "05")
    tmp_path.chmod(0o700)
    assert status == 2
    assert said.startswith("Nothing can be written to . (Permission denied).")


def test_a_missing_part_of_jupyter(run, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError("No module named 'bs4'", name="bs4")

    monkeypatch.setattr(command_line.importlib, "import_module", missing)
    sentence = "This command needs bs4. Install what the repository's requirements.txt lists.\n"
    assert run("talk", "05") == (2, sentence)


def test_nothing_half_written_is_left(run, monkeypatch, tmp_path):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    status, said = run("talk", "05")
    assert (status, said) == (
        2,
        "The output cannot be read or written (No space left on device).\n",
    )
    assert not list(tmp_path.iterdir())
