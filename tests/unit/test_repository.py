"""The repository as a whole: its package, its README, and addresses that agree."""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from helpers.generation import generate_text
from helpers.models import load_causal_lm
from tests.support.notebook_plugin import ROOT
from tests.tools import address

TEXT = {".md", ".py", ".toml", ".txt", ".cfg", ".yml", ".ipynb", ".grammar", ".json", ".css", ""}


def pyproject():
    return (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def readme():
    return (ROOT / "README.md").read_text(encoding="utf-8")


def run(*command, **kwargs):
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, **kwargs
    )


def test_import_is_cheap():
    probe = "import helpers, sys; print({'torch', 'transformers', 'ipywidgets'} & set(sys.modules))"
    assert run("-c", probe).stdout.strip() == "set()"


def test_wheel_holds_the_package_and_nothing_else(tmp_path, repository_files):
    copy = tmp_path / "copy"  # building in place would leave folders behind
    shutil.copytree(
        ROOT / "helpers", copy / "helpers", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    options = ("--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", str(tmp_path))
    built = run("-m", "pip", "wheel", str(copy), *options)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {
        path.relative_to(ROOT).as_posix() for path in repository_files if "helpers" in path.parts
    }
    assert held == {name for name in expected if name.startswith("helpers/")}
    assert wheel.stat().st_size < 20e6


def test_pins_lie_within_the_ranges():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = {
        r.name: r for r in (Requirement(line) for line in lines if line and line[0] not in "#-")
    }
    ranges = [
        Requirement(text) for text in re.findall(r'^    "([a-z_]+[<>=].*)",$', pyproject(), re.M)
    ]
    assert len(ranges) >= 8
    for needed in ranges:
        (pin,) = pins[needed.name].specifier
        assert pin.operator == "=="
        assert needed.specifier.contains(pin.version), needed
    assert lines[-1] == "-e ."


def test_addresses_agree():
    assert address.disagreements() == []
    assert ("placeholder" in readme()) == (address.repository() == address.PLACEHOLDER)


def test_a_wrong_address_is_found():
    row = address.badge_row("notebooks/01_two_ways_to_read.ipynb", "somebody/else")
    assert address.PLACES.findall(row) == ["somebody/else"] * 2
    assert address.PLACES.findall(address.setup_cell("somebody/else")) == ["somebody/else"]
    assert address.PLACES.findall("see https://github.com/jupyter/nbval and its badge") == []


def test_one_command_changes_every_address(tmp_path, monkeypatch):
    for path in address.files():
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    monkeypatch.setattr(address, "ROOT", tmp_path)
    address.rewrite("some-body/course.2")
    assert address.repository() == "some-body/course.2"
    assert address.disagreements() == []
    for path in address.files():
        assert f"github.com/{address.PLACEHOLDER}" not in path.read_text(encoding="utf-8"), path
    for path in (tmp_path / "notebooks").glob("*.ipynb"):
        assert address.badge_row(f"notebooks/{path.name}") in path.read_text(encoding="utf-8")


def test_readme_links_lead_somewhere():
    targets = re.findall(r"\]\(([^)\s]+)\)", readme()) + re.findall(
        r'(?:src|href)="([^"]+)"', readme()
    )
    for target in targets:
        if not target.startswith(("http://", "https://", "#")):
            assert (ROOT / target.split("#")[0]).exists(), target


def test_the_readme_shows_what_two_models_wrote():
    """A recorded text, cut where it says so, and one of the pocket model, drawn again."""
    prompt = "Once upon a time, in a small village"
    (row,) = re.findall(rf"^\| (\*\*{prompt}\*\*.*) \|$", readme(), re.M)
    real, pocket = (text.replace("**", "") for text in row.split(" | "))
    recorded = json.loads((ROOT / "helpers/data/recorded.json").read_text(encoding="utf-8"))
    (whole,) = [t["text"] for t in recorded["causal"]["texts"] if t["prompt"] == prompt]
    assert whole.startswith(real.removesuffix(" … *(cut here)*"))
    assert real.endswith("(cut here)*")
    lm = load_causal_lm("pocket-gpt2", device="cpu")
    settings = {"max_length": 100, "temperature": 0.8, "top_k": 50, "seed": 1}
    assert pocket == generate_text(lm, prompt, **settings)


def test_readme_names_files_that_exist():
    for name in re.findall(r"`((?:notebooks|helpers|tests|\.binder|\.ci)/[\w./-]*)`", readme()):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize(
    "folder", [".ci/run", ".github/workflows/tests.yml", ".github/workflows/weekly.yml"]
)
def test_continuous_integration_runs_the_readme_command(folder):
    assert "pip install -r requirements.txt && .venv/bin/pytest\n" in readme()
    text = (ROOT / folder).read_text(encoding="utf-8")
    assert "requirements.txt" in text
    assert re.search(r"\bpytest\b", text)


@pytest.mark.filterwarnings("ignore:.*found in sys.modules")
def test_readme_commands_exist(monkeypatch, capsys):
    calls = set(re.findall(r"python -m (helpers [a-z]+|tests\.tools\.\w+)", readme()))
    assert len(calls) >= 5
    for call in sorted(calls):
        module, *words = call.split()
        monkeypatch.setattr(sys, "argv", [module, *words, "--help"])
        with pytest.raises(SystemExit) as end:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        assert not end.value.code, call
        assert "usage: " in capsys.readouterr().out


def test_no_file_speaks_of_one_machine(repository_files):
    """No absolute path of somebody's machine, no package index but the public ones."""
    machine = re.compile(
        r"(?<![\w.$}~/-])/(?:home|root|Users|opt|work|srv|mnt)/[\w.]+|[A-Z]:\\{1,2}Users\\"
    )
    index = re.compile(r"(?:index-url|INDEX_URL|find-links)[=: ]+(\S+)")
    public = ("https://download.pytorch.org/whl/", "https://pypi.org/simple")
    public += ("../wheels", "..\\wheels")  # beside a copy, for a room without a network
    for path in repository_files:
        if path.suffix in TEXT and path != Path(__file__).resolve():
            text = path.read_text(encoding="utf-8")
            assert not machine.search(text), f"{path}: {machine.search(text)[0]}"
            assert all(url.startswith(public) for url in index.findall(text)), path


def test_scripts_can_be_started():
    if os.name == "posix":
        assert os.access(ROOT / ".ci" / "run", os.X_OK)
        assert os.access(ROOT / ".binder" / "start", os.X_OK)
