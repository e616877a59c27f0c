"""The repository's address: pyproject.toml holds it, every badge and every set-up cell repeats it.

`python -m tests.tools.address OWNER/REPO` writes a new address into pyproject.toml, the README, the
notebooks and the Binder and workflow files; `python -m tests.tools.address` alone says which of
them disagree.
"""

import argparse
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACEHOLDER = "OWNER/REPO"
BRANCH = "main"
NAME = r"[A-Za-z0-9][\w.-]*?"
BADGE_PICTURE = "https://colab.research.google.com/assets/colab-badge.svg"
SETUP_TITLE = '#@title Run this first { display-mode: "form" }'
SETUP_METADATA = {"cellView": "form", "jupyter": {"source_hidden": True}}

# Where an address of this repository stands; links to other repositories on GitHub match none of
# these.
PLACES = re.compile(
    r"(?:colab\.research\.google\.com/github/|nbviewer\.org/github/|mybinder\.org/v2/gh/|git clone https://github\.com/"
    r"|git-pull\?repo=https%3A%2F%2Fgithub\.com%2F|git\+https://github\.com/|\bREPO = \\?\"https://github\.com/"
    r"|\bRepository = \"https://github\.com/)"
    rf"({NAME}(?:/|%2F){NAME})(?=\.git\b|[/\"&?#\s\\)`]|$)"
)
# A link of nbgitpuller also names the folder that it makes, which is called like the repository.
FOLDER = re.compile(r"(?<=branch=main&urlpath=lab%2Ftree%2F)[\w.-]+?(?=%2Fnotebooks%2F)")
PLACEHOLDER_NOTE = re.compile(
    r"<!-- placeholder address -->.*?<!-- end of placeholder address -->\n*", re.S
)


def files():
    """The files in which the address may stand."""
    found = [ROOT / "pyproject.toml", ROOT / "README.md"]
    for pattern in ("notebooks/*.ipynb", "notebooks/*.md", ".binder/*", ".github/**/*.yml"):
        found += sorted(ROOT.glob(pattern))
    return [path for path in found if path.is_file()]


def repository():
    """The address in pyproject.toml, as "owner/name"."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return re.search(r'^Repository = "https://github\.com/([^"]+)"$', text, re.M)[1]


def badge(path, slug=None):
    """The Open-in-Colab badge, in Markdown, of the notebook `path`, relative to the repository's
    root.

    Example:
        >>> badge("notebooks/01.ipynb", "a/b").rpartition("](")[2]
        'https://colab.research.google.com/github/a/b/blob/main/notebooks/01.ipynb)'
    """
    link = f"https://colab.research.google.com/github/{slug or repository()}/blob/{BRANCH}/{path}"
    return f"[![Open in Colab]({BADGE_PICTURE})]({link})"


def badge_row(path, slug=None):
    """The badge and, beside it, a plain link to nbviewer, for the days when a preview fails.

    Example:
        >>> badge_row("notebooks/01.ipynb", "a/b").rpartition(") ")[2]
        '[nbviewer](https://nbviewer.org/github/a/b/blob/main/notebooks/01.ipynb)'
    """
    link = f"https://nbviewer.org/github/{slug or repository()}/blob/{BRANCH}/{path}"
    return f"{badge(path, slug)} [nbviewer]({link})"


def setup_cell(slug=None):
    """The source of the first code cell of every notebook, which is folded.

    Its first line folds it in Colab, `SETUP_METADATA` there and in JupyterLab. It does nothing
    where `helpers` is installed. Google Colab has all the libraries: there it installs `helpers`
    alone, as other versions of torch, numpy or ipywidgets would break the session. Elsewhere it
    says what to do.
    """
    return f"""{SETUP_TITLE}
import importlib.util, os, sys

REPO = "https://github.com/{slug or repository()}"
in_colab = "google.colab" in sys.modules or "COLAB_RELEASE_TAG" in os.environ
if importlib.util.find_spec("helpers") is None and in_colab:
    %pip install --quiet --no-deps git+{{REPO}}
if importlib.util.find_spec("helpers") is None:
    raise ModuleNotFoundError(f"run `pip install -r requirements.txt` \
in a copy of {{REPO}}, then restart")"""


def disagreements(slug=None):
    """One sentence for each address that differs from `slug`, by default pyproject.toml's."""
    slug = slug or repository()
    wrong = []
    for path in files():
        text, name = path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix()
        addresses = {place.replace("%2F", "/") for place in PLACES.findall(text)} - {slug}
        folders = set(FOLDER.findall(text)) - {slug.partition("/")[2]}
        wrong += [
            f"{name} has the address {found}, pyproject.toml has {slug}"
            for found in sorted(addresses)
        ]
        wrong += [
            f"{name} has a link to the folder {found}, pyproject.toml has {slug}"
            for found in sorted(folders)
        ]
    return wrong


def with_address(text, old, new):
    """`text` with the address `new` wherever the address `old` stood.

    Example:
        >>> with_address("https://github.com/a/b and https://github.com/a/bc", "a/b", "c/d")
        'https://github.com/c/d and https://github.com/a/bc'
    """
    for slash in ("/", "%2F"):
        owner = re.escape(old.replace("/", slash))
        before = rf"(github{slash}|github\.com{slash}|gh{slash}){owner}(?![\w-])"
        text = re.sub(before, rf"\g<1>{new.replace('/', slash)}", text)
    return FOLDER.sub(
        lambda folder: folder[0].replace(old.partition("/")[2], new.partition("/")[2]), text
    )


def rewrite(new):
    """Write the address `new` ("owner/name") everywhere."""
    old = repository()
    for path in files():
        text = path.read_text(encoding="utf-8")
        changed = with_address(text, old, new)
        if new != PLACEHOLDER:
            changed = PLACEHOLDER_NOTE.sub("", changed)
        if changed != text:
            path.write_text(changed, encoding="utf-8", newline="\n")
            print("rewrote", path.relative_to(ROOT).as_posix())


def main():
    parser = argparse.ArgumentParser(
        prog="python -m tests.tools.address", description=__doc__.split("\n")[0]
    )
    parser.add_argument("new", nargs="?", metavar="OWNER/REPO", help="without it, only check")
    new = parser.parse_args().new
    if new:
        if not re.fullmatch(rf"{NAME}/{NAME}", new):
            parser.error(f"{new!r} is not of the form OWNER/REPO")
        rewrite(new)
    print("address:", repository())
    if wrong := disagreements():
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main()
