"""How long a reader waits: for the imports, for a pocket model, for exact answers, for the first
bars, for a whole notebook.
"""

import gc
import subprocess
import sys
import threading
import time

import nbformat
import psutil
import pytest

from helpers import generation, models
from helpers.lab.engine import Language
from tests.support.notebook_plugin import ROOT
from tests.tools.store_outputs import execute, tags

NOTEBOOK = ROOT / "notebooks" / "05_generate_text_with_gpt2.ipynb"


def seconds_of(code):
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    return time.perf_counter() - start


def test_import_costs_no_more_than_its_libraries(report):
    libraries = (
        "import torch; from transformers import AutoTokenizer, BertForMaskedLM, GPT2LMHeadModel"
    )
    own = "import helpers.generation, helpers.fill_mask"
    seconds_of(own)  # the first start compiles and fills the system's cache
    own, libraries = (min(seconds_of(code) for _ in range(3)) for code in (own, libraries))
    report(f"import helpers: {own:.2f} s, {own / libraries:.2f} x its libraries (at most 1.3)")
    assert own <= 1.3 * libraries


def test_loading_a_pocket_model(report, medians):
    lm = models.load_causal_lm("pocket-gpt2")
    load, write = medians(
        lambda: models.load_causal_lm("pocket-gpt2"),
        lambda: generation.generate_text(
            lm, "Once upon a time", max_new_tokens=40, do_sample=False
        ),
        rounds=5,
    )
    report(f"loading pocket-gpt2: {load:.2f} s (at most 1), {load / write:.1f} x writing 40 tokens")
    assert load <= 1


def test_looking_for_garbage_after_every_few_hundred_objects(report, medians):
    """As Python does it by itself, and as helpers sets it."""
    grammar = (ROOT / "helpers" / "data" / "pocketweb.grammar").read_text(encoding="utf-8")
    before = gc.get_threshold()

    def answers_with(threshold):
        def answer():
            gc.set_threshold(threshold)
            language = Language(grammar, ["review", "role", "work"])
            for document in language.sample(20, seed=0):
                language.log_probs("masked", document)

        return answer

    try:
        ours, often = medians(answers_with(before[0]), answers_with(700), rounds=5)
    finally:
        gc.set_threshold(*before)
    report(f"exact answers, with garbage looked for often: {often / ours:.1f} x as long")
    assert often >= 1.2 * ours


class PeakMemory(threading.Thread):
    """The largest memory, in bytes, of the processes that this process has started."""

    def __init__(self):
        super().__init__(daemon=True)
        self.peak, self.running = 0, True

    def run(self):
        while self.running:
            now = 0
            for child in psutil.Process().children(recursive=True):
                try:
                    now += child.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self.peak = max(self.peak, now)
            time.sleep(0.05)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.running = False
        self.join()


@pytest.mark.skipif(not NOTEBOOK.exists(), reason="notebook 05 is not here")
def test_first_bars_and_whole_notebook(report, tmp_path):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    first_widget = next(i for i, cell in enumerate(notebook.cells) if "widget" in tags(cell))
    start_only = nbformat.from_dict({**notebook, "cells": notebook.cells[: first_widget + 1]})
    nbformat.write(start_only, tmp_path / "start.ipynb")
    start = time.perf_counter()
    execute(tmp_path / "start.ipynb")
    bars = time.perf_counter() - start

    start = time.perf_counter()
    with PeakMemory() as memory:
        execute(NOTEBOOK)
    whole = time.perf_counter() - start
    report(f"notebook 05: first bars after {bars:.1f} s (at most 10)")
    report(f"notebook 05: {whole:.0f} s (at most 45), {memory.peak / 1e9:.2f} GB (at most 1.5)")
    assert bars <= 10
    assert whole <= 45
    assert memory.peak <= 1.5e9
