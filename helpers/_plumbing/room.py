"""A room without a network: one folder with all that a learner's machine needs.

It holds the wheels for this system, this copy of the repository, real models where they are named,
a page with the commands, and a check for the day before.
"""

import sys
from pathlib import Path
from shutil import copytree, ignore_patterns

from helpers._plumbing.checkpoints import find
from helpers._plumbing.classroom import REPOSITORY, filled_in, notebook_paths
from helpers._plumbing.files import folder_written_whole
from helpers._plumbing.smollm import call_python

# What Git ignores, and its own folder; of the names with a dot, those of the project go along
LEFT_OUT = ("__pycache__", "*.py[cod]", "*.egg-info", "build", "dist", "venv", ".git", ".[!bcg]*")
LEFT_OUT += ("checkpoints", "screenshots", "*.part", "Thumbs.db")


def gather_room(folder, models=()):
    """Gather everything in a new folder, and return its path.

    Raises:
        ValueError: the folder is not new or not writable, or this is no copy of the repository.
        ModelNotAvailable: a model or a package cannot be had. Nothing is left of what was begun.
    """
    notebook_paths()
    sources = [find(name, folders=False).parents[1] for name in models]
    with folder_written_whole(folder) as part:
        copytree(REPOSITORY, part / "repository", ignore=ignore_patterns(*LEFT_OUT))
        for source in sources:  # the cache's folder of a model; a stick has no links to blobs
            copytree(source, part / "models" / source.name, ignore=ignore_patterns("blobs"))
        _fetch_wheels(part)
        files = {path.relative_to(part).as_posix(): path for path in sorted(part.rglob("*"))}
        for name in ("README.md", "check.py"):
            values = {"files": files, "models": models, "python": sys.version_info[:3]}
            page = filled_in(f"room/{name}.txt", **values)
            (part / name).write_text(page, encoding="utf-8")
    return Path(folder)


def _fetch_wheels(room):
    """Wheels of all that requirements.txt lists, but for the repository itself."""
    lines = (room / "repository" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    listed = room / "packages.txt"
    listed.write_text("\n".join(line for line in lines if line[:2] != "-e"), encoding="utf-8")
    print("Fetching the packages. This takes minutes.", flush=True)
    where = ["--wheel-dir", str(room / "wheels"), "--requirement", str(listed)]
    call_python("A package", "-m", "pip", "wheel", "--quiet", "--no-cache-dir", *where)
