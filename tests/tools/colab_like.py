"""Run notebooks as Google Colab would, without Colab.

    python -m tests.tools.colab_like 01_two_ways_to_read

A fresh environment gets Colab's versions of the libraries (tests/tools/colab_versions.txt),
ipywidgets 7 among them, and not `helpers`. Each notebook stands alone in an empty folder, and the
repository's address leads to a snapshot of this working tree. What must then hold: the set-up cell
installs `helpers` and touches nothing else, no cell fails, none writes to stderr, no callback of a
widget fails, and after the cells holds what `tests/notebook_checks` asks.

It leaves out Colab's own front end, and its torch, unless `--torch 2.11.0` asks for that download.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from tests.support.notebook_plugin import ROOT, offline_environment
from tests.tools import address, store_outputs

VERSIONS = Path(__file__).with_name("colab_versions.txt")
OURS = "language-models-measured"
KERNEL = "colab-like"
# Run by the environment's own Python: the version and the place of every library, and what is
# installed at what time.
IMPORTED = """import importlib, json
names = ("ipywidgets", "transformers", "matplotlib", "numpy", "torch", "tokenizers",
         "huggingface_hub", "accelerate")
print(json.dumps({name: importlib.import_module(name).__version__ for name in names}))"""
INSTALLED = """import json
from importlib.metadata import distributions
print(json.dumps({
    d.metadata["Name"].lower(): (d.version, d._path.stat().st_mtime_ns) for d in distributions()
}))"""


def run(*command, **options):
    """Run a command and return what it printed; where it fails, stop and show that."""
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, **options
    )
    if done.returncode:
        raise SystemExit(
            f"{' '.join(map(str, command))}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
    return done.stdout


def pins():
    """{name: version} of everything that is pinned to Colab's version."""
    lines = VERSIONS.read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line and line[0] != "#")


def needed_by(name, found=None):
    """The names of an installed distribution and of all that it needs, where installed."""
    found = set() if found is None else found
    try:
        needed = [Requirement(text) for text in metadata.requires(name) or ()]
    except metadata.PackageNotFoundError:
        return found
    found.add(name.lower())
    for one in needed:
        if one.name.lower() not in found and (
            one.marker is None or one.marker.evaluate({"extra": ""})
        ):
            needed_by(one.name, found)
    return found


def link_torch(site_packages):
    """Link the torch that runs this command, and what it needs, into another environment of the
    same Python.
    """
    for name in needed_by("torch") - set(pins()) - {"setuptools"}:
        for entry in {path.parts[0] for path in metadata.files(name)} - {"..", "__pycache__"}:
            target = site_packages / entry
            if not target.exists():
                target.symlink_to(metadata.distribution(name).locate_file(entry))


def build(folder, torch=None):
    """An environment with Colab's versions in `folder`; returns its Python."""
    run(sys.executable, "-m", "venv", folder)
    python = folder / "bin" / "python"
    if torch is None:
        link_torch(
            Path(
                run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
            )
        )
    pip = (python, "-m", "pip", "--disable-pip-version-check")
    run(
        *pip,
        "install",
        "--quiet",
        "--no-compile",
        "-r",
        VERSIONS,
        *([f"torch=={torch}"] if torch else []),
    )
    run(*pip, "check")
    return python


def snapshot(folder):
    """A Git repository in `folder` with one commit: the working tree as it is now."""
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", cwd=ROOT)
    for name in listed.split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    run("git", "init", "--quiet", cwd=folder)
    run("git", "add", "--all", cwd=folder)
    author = ("-c", "user.name=snapshot", "-c", "user.email=snapshot@localhost")
    run("git", *author, "commit", "--quiet", "-m", "snapshot", cwd=folder)


def register_kernel(python, repository, scratch):
    """A kernel of that Python which believes to be in Colab, and finds the repository at a local
    path.
    """
    variables = offline_environment(scratch) | {
        "PYTHONPATH": "",
        "COLAB_RELEASE_TAG": "colab-like",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # or this old ipykernel warns when it starts
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{repository.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": f"https://github.com/{address.repository()}",
    }
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    folder = scratch / "jupyter" / "kernels" / KERNEL
    folder.mkdir(parents=True)
    spec = {"argv": command, "display_name": KERNEL, "language": "python", "env": variables}
    (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    os.environ["JUPYTER_PATH"] = str(scratch / "jupyter")


def check_versions(python, torch=None):
    """Stop unless what is imported has Colab's versions, and `helpers` is not there."""
    imported = json.loads(run(python, "-c", IMPORTED, cwd=python.parent))
    expected = pins() | ({"torch": torch} if torch else {})
    wrong = {
        name: found
        for name, found in imported.items()
        if not found.startswith(expected.get(name, found))
    }
    if wrong:
        raise SystemExit(f"not Colab's versions: {wrong}")
    run(
        python,
        "-c",
        "import importlib.util as u; assert u.find_spec('helpers') is None",
        cwd=python.parent,
    )
    print(", ".join(f"{name} {version}" for name, version in imported.items()), flush=True)


def faults(name, python, scratch):
    """What goes wrong when the notebook of that name runs alone in an empty folder."""
    alone = Path(tempfile.mkdtemp(dir=scratch))
    shutil.copy(ROOT / "notebooks" / f"{name}.ipynb", alone)
    before = json.loads(run(python, "-c", INSTALLED))
    try:
        found = store_outputs.faults(
            store_outputs.execute(alone / f"{name}.ipynb", kernel_name=KERNEL)
        )
    except store_outputs.CellExecutionError as error:
        found = [re.sub(r"\x1b\[[\d;]*m", "", str(error))]
    after = json.loads(run(python, "-c", INSTALLED))
    if OURS not in after:
        found.append("the set-up cell did not install the package")
    touched = {one for one in before.keys() | after.keys() if before.get(one) != after.get(one)} - {
        OURS
    }
    if touched:
        found.append(f"the set-up cell changed other packages: {', '.join(sorted(touched))}")
    run(
        python, "-m", "pip", "uninstall", "--quiet", "--yes", OURS
    )  # the next notebook shall install it itself
    return found


def main():
    every = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    parser = argparse.ArgumentParser(
        prog="python -m tests.tools.colab_like", description=__doc__.split("\n")[0]
    )
    parser.add_argument(
        "notebooks", nargs="*", choices=[*every, []], metavar="NAME", help="by default all of them"
    )
    parser.add_argument(
        "--torch", metavar="VERSION", help="install this version instead of linking the one here"
    )
    options = parser.parse_args()
    os.environ.pop("PYTHONPATH", None)  # importing the plugin has put this repository there
    failed = False
    with tempfile.TemporaryDirectory(prefix="colab-like-") as scratch:
        scratch = Path(scratch)
        start = time.perf_counter()
        python = build(scratch / "venv", options.torch)
        check_versions(python, options.torch)
        snapshot(scratch / "repository")
        register_kernel(python, scratch / "repository", scratch)
        print(f"environment ({time.perf_counter() - start:.0f} s)", flush=True)
        for name in options.notebooks or every:
            start = time.perf_counter()
            found = faults(name, python, scratch)
            failed |= bool(found)
            print(
                f"{name}: {'; '.join(found) or 'ok'} ({time.perf_counter() - start:.0f} s)",
                flush=True,
            )
    sys.exit(failed)


if __name__ == "__main__":
    main()
