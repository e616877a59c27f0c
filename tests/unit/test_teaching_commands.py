"""`talk`, `worksheets`, `handout` and `room`: what they write, and one line where something is
wrong.
"""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from helpers import __main__ as command_line
from helpers._plumbing import classroom, room
from tests.support.notebook_plugin import ROOT
from tests.tools import minutes

NUMBERS = [path.stem[:2] for path in minutes.notebooks()]


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """A function that runs a command in an empty folder: (status, all that it said)."""
    monkeypatch.chdir(tmp_path)

    def status_and_sentence(*arguments):
        status = command_line.main(list(arguments))
        out, err = capsys.readouterr()
        assert err.count("\n") == (status != 0)
        return status, out + err

    return status_and_sentence


# ---- talk and worksheets


def test_they_write_into_the_current_folder(run, tmp_path):
    assert run("talk", "5") == (0, "talk-05.html\n")
    assert run("worksheets") == (0, "worksheets.html\n")
    assert {path.name for path in tmp_path.iterdir()} == {"talk-05.html", "worksheets.html"}


@pytest.mark.parametrize("number", ["08", "x", "", "../05", "0*", "005"])
def test_an_unknown_number(run, number, tmp_path):
    known = ", ".join(NUMBERS)
    assert run("talk", number) == (2, f"There is no notebook {number!r}. There are: {known}.\n")
    assert not list(tmp_path.iterdir())


def test_every_core_path_has_its_sheet_with_five_questions(run, tmp_path):
    run("worksheets")
    page = (tmp_path / "worksheets.html").read_text(encoding="utf-8")
    sheets = page.split('<section class="sheet">')[1:]
    assert len(sheets) == len(NUMBERS)
    for number, sheet in zip(NUMBERS, sheets, strict=True):
        assert f"<h1>{number} " in sheet
        questions = sheet.split("<h2>Five questions</h2>")[1]
        assert questions.count("<p>") == 5
        guesses = sheet.split("<h2>My predictions")[1].split("<h2>")[0]
        assert guesses.count("<p>") >= 1
    reasons = [r for one in classroom.lesson("quiz", "05-1")["choices"].values() for r in [one]]
    assert not any(reason in page for reason in reasons)


# ---- handout


@pytest.fixture(scope="module")
def handout(tmp_path_factory):
    folder = classroom.write_handout(tmp_path_factory.mktemp("class") / "new")
    return {path.name: nbformat.read(path, as_version=4) for path in folder.iterdir()}


def test_a_handout_has_all_cells_and_no_outputs(handout):
    assert set(handout) == {path.name for path in minutes.notebooks()}
    for path in minutes.notebooks():
        cells = nbformat.read(path, as_version=4).cells
        assert [cell.id for cell in handout[path.name].cells] == [cell.id for cell in cells]
    for notebook in handout.values():
        nbformat.validate(notebook)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert not any(cell.outputs or cell.execution_count for cell in code)


def test_a_handout_gives_no_answer_away(handout):
    for notebook in handout.values():
        sources = [cell.source for cell in notebook.cells]
        for summary in [source for source in sources if source.startswith("## In five lines")]:
            assert "1. …\n2. …\n3. …\n4. …\n5. …" in summary
        assert "*What did you see? Write it here.*" in sources
        exercises = [source for source in sources if source.startswith("exercise(")]
        assert exercises
        assert all(source.endswith(").verdict") for source in exercises)


def test_what_follows_a_comparison_is_left_to_the_learner(monkeypatch, tmp_path):
    cells = [
        nbformat.v4.new_markdown_cell("# A"),
        nbformat.v4.new_markdown_cell("Before."),
        nbformat.v4.new_code_cell('compare("05-1", 3)\n7', execution_count=3),
        nbformat.v4.new_markdown_cell("It is 87 %."),
        nbformat.v4.new_markdown_cell("## In five lines\n\n1. One.\n\nNext: B."),
        nbformat.v4.new_markdown_cell("After."),
    ]
    (tmp_path / "notebooks").mkdir()
    path = tmp_path / "notebooks" / "05_a.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    monkeypatch.setattr(classroom, "REPOSITORY", tmp_path)
    written = nbformat.read(classroom.write_handout(tmp_path / "new") / "05_a.ipynb", as_version=4)
    assert [cell.source for cell in written.cells] == [
        "# A",
        "Before.",
        'compare("05-1", 3)\n7',
        "*What did you see? Write it here.*",
        "## In five lines\n\n1. …\n\nNext: B.",
        "After.",
    ]


# ---- room


def wheel(folder, name, tag="py3-none-any"):
    """The smallest wheel that pip takes."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-{tag}.whl", "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        archive.writestr(f"{info}/RECORD", "")


def ignored_by_git():
    lines = (classroom.REPOSITORY / ".gitignore").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and line[0] != "#"]


@pytest.fixture
def copy(monkeypatch, tmp_path):
    """A small copy of the repository, with a package index that is a folder."""
    copy = tmp_path / "copy"
    (copy / "notebooks").mkdir(parents=True)
    (copy / "notebooks" / "05_a.ipynb").write_text("{}")
    for pattern in ignored_by_git():
        made_here = copy / pattern.strip("/").replace("[cod]", "c").replace("*", "made_here")
        made_here.parent.mkdir(parents=True, exist_ok=True)
        made_here.write_text("")
    (copy / "requirements.txt").write_text("# pins\npebble==1.0\n\n-e .\n")
    wheel(tmp_path / "index", "pebble")
    for module in (classroom, room):
        monkeypatch.setattr(module, "REPOSITORY", copy)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    return copy


def files_in(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def check(folder):
    """The exit status and the line of the check for the day before."""
    command = [sys.executable, "-I", "check.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    return done.returncode, done.stdout.strip()


def test_a_room_holds_what_a_machine_needs(copy, run, tmp_path):
    assert run("room", "new")[0] == 0
    assert files_in(tmp_path / "new") == {
        *("README.md", "check.py", "packages.txt", "wheels/pebble-1.0-py3-none-any.whl"),
        *("repository/requirements.txt", "repository/notebooks/05_a.ipynb"),
    }
    page = (tmp_path / "new" / "README.md").read_text(encoding="utf-8")
    assert "pip install --no-index --find-links ../wheels -r requirements.txt" in page
    assert "HF_HUB_CACHE" not in page
    assert {path.name for path in tmp_path.iterdir()} == {"copy", "index", "new"}


def test_a_model_goes_along_as_offline_machines_find_it(copy, run, tmp_path, monkeypatch):
    cache = tmp_path / "cache" / "models--tiny" / "snapshots" / "1"
    cache.mkdir(parents=True)
    (cache / "config.json").write_text("{}")
    (cache.parents[1] / "refs").mkdir()
    (cache.parents[1] / "refs" / "main").write_text("1")
    (cache.parents[1] / "blobs").mkdir()
    (cache.parents[1] / "blobs" / "x").write_text("again")
    monkeypatch.setattr(room, "find", lambda name, folders: cache)
    assert run("room", "new", "tiny")[0] == 0
    taken = {name for name in files_in(tmp_path / "new") if name.startswith("models/")}
    assert "models/models--tiny/snapshots/1/config.json" in taken
    assert "models/models--tiny/refs/main" in taken
    assert not any("blobs" in name for name in taken)
    page = (tmp_path / "new" / "README.md").read_text(encoding="utf-8")
    assert "holds tiny." in page
    assert 'HF_HUB_CACHE="$PWD/../models" HF_HUB_OFFLINE=1' in page


def test_the_check_says_in_one_line_what_is_missing(copy, run, tmp_path):
    run("room", "new")
    folder = tmp_path / "new"
    status, line = check(folder)
    assert (status, line) == (
        1,
        "Missing: nothing is installed yet: the first command in README.md does it.",
    )
    python = folder / "repository" / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexit 0\n")
    python.chmod(0o755)
    if os.name == "posix":
        assert check(folder) == (0, "Ready: everything is here, and it starts.")
        python.write_text("#!/bin/sh\nexit 1\n")
        assert check(folder)[1].startswith("Missing: what is installed does not start: delete")
    (folder / "repository" / "requirements.txt").write_text("shorter")
    assert "1 files are not whole, such as repository/requirements.txt" in check(folder)[1]


def test_the_check_knows_which_wheels_fit(copy, run, tmp_path, monkeypatch):
    run("room", "new")
    path = tmp_path / "new" / "check.py"
    names = {"__file__": str(path), "__name__": "check"}
    exec(path.read_text(encoding="utf-8"), names)
    names.update(SYSTEM="linux", VERSION="3.12")
    monkeypatch.setattr(names["platform"], "machine", lambda: "x86_64")
    fits = names["fits"]
    for tag, right in [
        ("py3-none-any", True),
        ("py2.py3-none-any", True),
        ("cp312-cp312-manylinux_2_28_x86_64", True),
        ("cp312-cp312-manylinux2014_aarch64", False),
        ("cp311-cp311-manylinux_2_28_x86_64", False),
        ("cp310-abi3-manylinux_2_17_x86_64", True),
        ("cp313-abi3-manylinux_2_17_x86_64", False),
        ("cp312-cp312-win_amd64", False),
        ("py3-none-macosx_11_0_universal2", False),
    ]:
        assert bool(fits(f"a-1.0-{tag}.whl")) == right, tag
    names.update(FETCHED_WITH=(*sys.version_info[:2], 99))
    assert any("99 that fetched the wheels: update it" in one for one in names["missing"]())
    wheel(tmp_path / "new" / "wheels", "quartz", "cp27-cp27m-win_amd64")
    assert any("no wheel of quartz for Python 3.12" in one for one in names["missing"]())


def test_a_package_that_cannot_be_had(copy, run, tmp_path):
    (copy / "requirements.txt").write_text("granite==1.0\n")
    status, said = run("room", "new")
    assert status == 2
    assert said.splitlines()[-1] == (
        "A package was not fetched: pip found no package index that has it. "
        "Check the network, and the index that pip is set to."
    )
    assert {path.name for path in tmp_path.iterdir()} == {"copy", "index"}


def test_a_network_that_is_gone_in_the_middle(copy, run, tmp_path, monkeypatch):
    """One package comes, the next one's index does not answer."""
    (copy / "requirements.txt").write_text("pebble==1.0\ngranite==1.0\n")
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    status, said = run("room", "new")
    assert status == 2
    assert said.splitlines()[-1].startswith("A package was not fetched: pip found no package index")
    assert {path.name for path in tmp_path.iterdir()} == {"copy", "index"}


def test_an_interrupted_room_leaves_nothing(copy, run, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(room, "call_python", interrupted)
    status, said = run("room", "new")
    assert (status, said.splitlines()[-1]) == (130, "Interrupted.")
    assert {path.name for path in tmp_path.iterdir()} == {"copy", "index"}


# ---- bad input of all


@pytest.mark.parametrize(
    "command", [["talk", "05"], ["worksheets"], ["handout", "a"], ["room", "a"]]
)
def test_outside_the_repository(command, run, monkeypatch, tmp_path):
    monkeypatch.setattr(classroom, "REPOSITORY", tmp_path)
    status, said = run(*command)
    assert status == 2
    assert said.startswith("There are no notebooks here. Run this command in a copy")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["handout", "room"])
def test_a_folder_that_is_not_new(command, run, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work.txt").write_text("kept")
    (tmp_path / "file").write_text("kept")
    for name in ("mine", "file", "."):
        status, said = run(command, name)
        assert status == 2
        assert said.endswith("is there already. Name a new folder.\n")
    assert files_in(tmp_path) == {"mine/work.txt", "file"}


def test_an_empty_folder_is_as_good_as_a_new_one(run, tmp_path):
    (tmp_path / "empty").mkdir()
    assert run("handout", "empty")[0] == 0
    assert len(files_in(tmp_path / "empty")) == len(NUMBERS)


@pytest.mark.parametrize("command", [["handout", "file/a"], ["room", "file/a"]])
def test_a_folder_that_cannot_be(command, run, tmp_path):
    (tmp_path / "file").write_text("kept")
    status, said = run(*command)
    assert status == 2
    assert "is not a folder. Name a folder, or a new one." in said
    assert files_in(tmp_path) == {"file"}


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder in which nobody can write")
@pytest.mark.parametrize("command", [["talk", "05"], ["worksheets"]])
def test_a_current_folder_that_cannot_be_written(command, run, monkeypatch):
    monkeypatch.chdir("/proc/self")
    status, said = run(*command)
    assert status == 2
    assert said.startswith("Nothing can be written to . (")
    assert said.endswith("Name another folder.\n")


@pytest.mark.parametrize("command", [["talk", "05"], ["worksheets"], ["handout", "a"]])
def test_nothing_half_written_is_left(command, run, monkeypatch, tmp_path):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    sentence = "The output cannot be read or written (No space left on device).\n"
    assert run(*command) == (2, sentence)
    assert not list(tmp_path.iterdir())


def test_a_missing_part_of_jupyter(run, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError("No module named 'nbconvert'", name="nbconvert")

    monkeypatch.setattr(command_line.importlib, "import_module", missing)
    sentence = (
        "This command needs nbconvert. Install what the repository's requirements.txt lists.\n"
    )
    assert run("talk", "05") == (2, sentence)


def test_the_pages_come_with_the_package():
    """The wheel takes all of helpers/data along (`test_repository.py` builds it)."""
    templates = files_in(ROOT / "helpers" / "data" / "classroom")
    assert {"talk.html", "worksheets.html", "worksheets.toml", "room/check.py.txt"} <= templates
