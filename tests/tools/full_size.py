"""Run notebooks on models as large as the real ones, with random weights.

    python -m tests.tools.full_size

`gpt2` and `bert-base-uncased` are built at full size, vocabulary included, served by a hub on this
machine and fetched by `python -m helpers prefetch` into an empty home. There the tests of
`tests/unit/test_real_models.py` that hold for random weights run, and each notebook runs whole in a
fresh kernel. Printed are its seconds and the largest memory that the kernel ever held. It takes 3
GB of disk while it runs. What the models write is noise: this shows that everything runs.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import (
    BertConfig,
    BertForPreTraining,
    BertTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    GPT2Tokenizer,
)

from helpers.lab import pocketweb
from tests.support.loopback_hub import LoopbackHub, common_pieces
from tests.support.notebook_plugin import ROOT
from tests.tools import measure_notebooks

NOTEBOOKS = ("05", "06", "04")
SHAPES = (
    "parameters_and_context[gpt2]",
    "parameters_and_context[bert-base-uncased]",
    "it_writes[gpt2]",
    "it_fills_blanks[bert-base-uncased]",
)


def save_gpt2(folder):
    """All 124.4 million parameters and 50,257 tokens, most of which no text is made of."""
    config = GPT2Config()
    GPT2LMHeadModel(config).save_pretrained(folder)
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(pocketweb.sample(2000, seed=0), 3000, show_progress=False)
    trained.save_model(str(folder))
    lines = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()[1:]
    vocabulary = trained.get_vocab()
    vocabulary |= {f"filler{n}": n for n in range(len(vocabulary), config.vocab_size - 1)}
    vocabulary["<|endoftext|>"] = config.eos_token_id
    merges = [tuple(line.split(" ")) for line in lines]
    GPT2Tokenizer(vocab=vocabulary, merges=merges).save_pretrained(folder)


def save_bert(folder):
    """All parameters, those of the head for pairs of sentences too, and 30,522 tokens."""
    config = BertConfig()
    BertForPreTraining(config).save_pretrained(folder)
    pieces = common_pieces()
    pieces += [f"[unused{n}]" for n in range(config.vocab_size - len(pieces))]
    vocabulary = {piece: n for n, piece in enumerate(pieces)}
    BertTokenizer(vocab=vocabulary).save_pretrained(folder)


def prefetch(home, names):
    """Serve both models and bring them into the cache of that home, as a reader does."""
    torch.manual_seed(0)
    folders = {"gpt2": home / "gpt2", "bert-base-uncased": home / "bert"}
    for save, folder in zip((save_gpt2, save_bert), folders.values(), strict=True):
        folder.mkdir()
        save(folder)
    with LoopbackHub(folders) as server:
        online = {"HF_ENDPOINT": server.address, "HF_HUB_OFFLINE": "0"}
        command = [sys.executable, "-m", "helpers", "prefetch", *names]
        subprocess.run(command, check=True, cwd=ROOT, env=os.environ | online)


def main():
    parser = argparse.ArgumentParser(
        prog="python -m tests.tools.full_size",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("notebooks", nargs="*", default=NOTEBOOKS, help="such as 05")
    options, names = parser.parse_args(), ["gpt2", "bert-base-uncased"]
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"HOME": home, "HF_HOME": str(Path(home, ".cache", "huggingface"))}
        prefetch(Path(home), names)
        tests = [f"tests/unit/test_real_models.py::test_shape_{one}" for one in SHAPES]
        asked = [sys.executable, "-m", "pytest", "-n", "0", "-q", "-m", "real_models", *tests]
        subprocess.run(asked, check=True, cwd=ROOT)
        for number in options.notebooks:
            (path,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
            seconds, n_bytes = measure_notebooks.timed(nbformat.read(path, as_version=4))
            print(f"{path.stem}: {seconds:.0f} s, {n_bytes / 1e9:.2f} GB", flush=True)


if __name__ == "__main__":
    main()
