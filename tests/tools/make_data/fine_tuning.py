"""Measure all methods of fine-tuning with more and more labels: `helpers/data/fine_tuning.csv`.

Started again, it goes on where it stopped.
"""

import hashlib

from tqdm.auto import tqdm

from helpers._plumbing.files import DATA
from helpers.lab import tables
from helpers.lab.fine_tuning import (
    TASKS,
    Reader,
    accuracy,
    exam,
    examples,
    fine_tune,
    from_scratch,
    in_batches,
    linear,
    word_counts,
)
from helpers.models import load_causal_lm, load_masked_lm
from tests.tools.make_data import write_table

METHODS = (
    "pocket-gpt2",
    "pocket-bert",
    "pocket-gpt2 frozen",
    "pocket-bert frozen",
    "pocket-gpt2 from scratch",
    "pocket-bert from scratch",
    "bag of words",
)
SIZES = (8, 16, 32, 64, 128, 256, 512)  # labels
SEEDS = (1, 2, 3)


def measure(method, task, n_labels, seed):
    """The accuracy on the exam of one of the METHODS after n labelled examples, drawn with the
    seed.

    Example:
        >>> from helpers.lab.fine_tuning import ceiling
        >>> measure("bag of words", "sentiment", 8, seed=1) < ceiling(exam("sentiment"))
        True
    """
    name, _, way = method.partition(" ")
    load, name = (
        (load_masked_lm, name) if name == "pocket-bert" else (load_causal_lm, "pocket-gpt2")
    )
    lm = load(name, device="cpu")
    train, test = examples(task, n_labels, seed), exam(task)
    if way in ("frozen", "of words"):
        features = Reader(lm).states if way == "frozen" else word_counts
        classify = linear(in_batches(features, train), [e.label for e in train])
        return accuracy(test, classify(in_batches(features, test)).tolist())
    if way == "from scratch":
        lm = from_scratch(lm, seed)
    return accuracy(
        test, in_batches(fine_tune(Reader(lm, seed), train, seed), test).argmax(-1).tolist()
    )


def made_by():
    """The command, and the models with a digest of their weights.

    Example:
        >>> made_by()[:56]
        'python -m tests.tools.make_data fine_tuning; on pocket-g'
    """
    models = ("pocket-gpt2", "pocket-bert")
    files = {name: (DATA / name / "model.safetensors").read_bytes() for name in models}
    digests = (f"{name} {hashlib.sha256(file).hexdigest()[:12]}" for name, file in files.items())
    return f"python -m tests.tools.make_data fine_tuning; on {', '.join(digests)}"


def make_table(path=DATA / "fine_tuning.csv", methods=METHODS, sizes=SIZES, seeds=SEEDS):
    """Measure all methods on both tasks and write the accuracies as a table, whole after every row.

    A table that is there already is continued if it was made with the same weights, else begun
    anew.
    """
    rows = []
    if path.exists() and tables.made_by(path.stem) == made_by():
        rows = tables.read(path.stem).to_dict("records")
    done = {(row["task"], row["method"], row["labels"], row["seed"]) for row in rows}
    runs = [
        (task, method, n, s) for s in seeds for task in TASKS for n in sizes for method in methods
    ]
    for task, method, n_labels, seed in tqdm([run for run in runs if run not in done]):
        row = {"task": task, "method": method, "labels": n_labels, "seed": seed}
        rows.append(row | {"accuracy": round(measure(method, task, n_labels, seed), 4)})
        write_table(path, made_by(), rows)


def add_arguments(parser):
    """None: the plan is what this file says."""


def run(_):
    make_table()
