"""The sweep: models of many sizes, trained on more and more PocketWeb, each held against the truth.

    python -m tests.tools.make_data sweep             trains what is missing, writes two CSV files
    accelerate launch -m tests.tools.make_data sweep  the same, the runs shared among processes

A run is an objective, a size, a seed and a learning rate. It trains at a constant rate; at each
token count a copy of it cools down, the rate falling to zero over the last sixth of the tokens, and
is measured: one run gives all of its points for little more than the price of the last. A point is
one file in the folder, written whole or not at all, so that an interrupted sweep goes on where it
stopped. Workers that share a folder share the work: each run has a lock. `ADDERS` read sums alone
and stand in abilities.csv only.

The learning rate is the same number over the width for all sizes; `PLAN` holds runs at half and at
twice that rate, which show what the rule costs.
"""

import itertools
import json
import os
import platform
import shutil
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from filelock import FileLock, Timeout

from helpers._plumbing.files import DATA, writable_folder, written_whole
from helpers.lab.abilities import ITEMS, RULERS, answer, score
from helpers.lab.evaluation import gap_to_floor, unseen
from helpers.lab.pretraining import LOOP, pretrain
from tests.support.flops import exact_training_flops
from tests.tools.make_data import write_table

SIZES = {  # layers, width, heads
    "causal": (
        (2, 8, 1),
        (2, 12, 1),
        (2, 16, 1),
        (2, 24, 1),
        (3, 32, 1),
        (3, 48, 2),
        (4, 64, 2),
        (4, 96, 3),
    ),
    "masked": ((2, 8, 1), (2, 16, 1), (2, 24, 1), (3, 32, 1), (3, 48, 2), (4, 64, 2)),
}
TOKENS = tuple(100_000 * 2**n for n in range(6))  # 0.1 to 3.2 million
RATE_TIMES_WIDTH = 0.64  # the learning rate at the peak, times the width
HIGHEST_RATE = {
    "causal": 1.0,
    "masked": 0.04,
}  # at twice this rate the smallest masked model learned nothing
TOKENS_PER_STEP = 1024
COOLED = 1 / 6  # share of a point's tokens read at a falling rate
KEY = ["objective", "n_layer", "d_model", "n_head", "seed", "tokens", "rate_factor", "reads"]
KEY += ["loop", "ability", "ruler"]  # what tells the rows of both tables apart
EXAM = {
    "causal": (1000, 1.0),
    "masked": (800, 0.15),
}  # unseen documents, and the share of their tokens that is asked


class Run(NamedTuple):
    """One training: what it is, and the token counts at which it is measured."""

    objective: str
    n_layer: int
    d_model: int
    n_head: int
    seed: int = 0
    tokens: tuple = TOKENS
    rate_factor: float = 1.0  # 1 is the rule
    reads: str = "all"  # or the one genre that it reads

    @property
    def learning_rate(self):
        return self.rate_factor * min(RATE_TIMES_WIDTH / self.d_model, HIGHEST_RATE[self.objective])

    @property
    def name(self):
        size = f"{self.objective}-{self.n_layer}x{self.d_model}"
        return f"{size}-seed{self.seed}-rate{self.rate_factor:g}-{self.reads}"

    @property
    def genres(self):
        return None if self.reads == "all" else (self.reads,)


def adder(width, seed):
    """A run that reads nothing but sums, which all of PocketWeb teaches far too slowly."""
    return Run("causal", 2, width, max(1, width // 16), seed, TOKENS[1:5], reads="sums")


ADDERS = tuple(
    adder(width, seed)
    for seed in (0, 1, 2)
    for width in (8, 12, 16, 20, 24, 32, 48, 64)
    if seed == 0 or width >= 32
)
PLAN = (
    *(Run("causal", *size) for size in SIZES["causal"]),
    *(Run("masked", *size, tokens=TOKENS[:5]) for size in SIZES["masked"]),
    *(
        Run(objective, *size, tokens=TOKENS[2:3], rate_factor=factor)
        for objective, size, factor in itertools.product(
            SIZES, ((2, 16, 1), (4, 64, 2)), (0.5, 2.0)
        )
    ),
    *(Run("causal", *size, seed, TOKENS[1:3]) for size in SIZES["causal"] for seed in (1, 2)),
    *ADDERS,
)
AGAIN = tuple(
    Run(objective, *size, tokens=TOKENS[1:3])
    for objective, size in itertools.product(SIZES, ((2, 16, 1), (3, 32, 1)))
)
MORE_SEEDS = (  # of ADDERS, around the size at which they begin to add
    *(adder(width, seed) for width in (8, 12, 16, 20, 24) for seed in (1, 2)),
    *(adder(width, 3) for width in (24, 32, 48)),
)


def run_sweep(folder, output=DATA, plan=PLAN):
    """Train and measure all points of a plan that the folder lacks, then write sweep.csv and
    abilities.csv.

    Args:
        folder: where checkpoints and points go. Runs that another worker is busy with are left to
            it.
        output: the folder of the CSV files, which hold every point that is there.
    """
    folder, output = writable_folder(folder), writable_folder(output)
    for run in plan:
        try:
            with FileLock(folder / f"{run.name}.lock", timeout=0):
                for tokens in run.tokens:
                    if not _point_file(folder, run, tokens).exists():
                        _make_point(folder, run, tokens)
                shutil.rmtree(folder / run.name / "run", ignore_errors=True)
        except Timeout:
            continue
    _write_tables(folder, output, plan)


def _point_file(folder, run, tokens):
    return folder / run.name / f"{tokens}.json"


def _make_point(folder, run, tokens):
    """Train a run on to a token count, let a copy cool down, measure that, and keep what was
    found.
    """
    going, cooling = folder / run.name / "run", folder / run.name / "cooling"
    steps = round(tokens / TOKENS_PER_STEP)
    cooled = max(1, round(steps * COOLED))
    options = {
        "objective": run.objective,
        "n_layer": run.n_layer,
        "d_model": run.d_model,
        "n_head": run.n_head,
        "seed": run.seed,
        "learning_rate": run.learning_rate,
        "optimizer": "muon",
        "tokens_per_step": TOKENS_PER_STEP,
        "warmup_steps": 50,
        "checkpoint_every": 1000,
        "genres": run.genres,
    }
    _train(steps=steps - cooled, decay_steps=0, folder=going, **options)
    shutil.rmtree(cooling, ignore_errors=True)
    shutil.copytree(going, cooling)
    lm, history = _train(steps=steps, decay_steps=cooled, folder=cooling, **options)
    point = _measure(run, lm, history)
    with written_whole(_point_file(folder, run, tokens)) as part:
        part.write_text(json.dumps(point), encoding="utf-8")
    shutil.rmtree(cooling)
    print(
        f"{run.name}, {tokens:,} tokens: {point['point']['gap']:.3f} nats above the floor",
        flush=True,
    )


def _train(**options):
    lm, history = pretrain(**options)
    if len(history) < options["steps"]:
        raise KeyboardInterrupt  # pretrain has kept what it had
    return lm, history


def _measure(run, lm, history):
    lm.model.eval()
    exam = unseen(run.objective, *EXAM[run.objective], run.genres)
    of = gap_to_floor(lm, exam)["all"]
    length = sum(len(document.tokens) + 2 for document in exam.documents) / len(exam.documents)
    known = run._asdict() | {"learning_rate": run.learning_rate, "tokens": history[-1]["tokens"]}
    known["loop"] = LOOP
    point = known | {
        "n_params": lm.n_params,
        "n_body_params": _body_params(lm.model),
        "loss": of.loss.nats,
        "loss_error": of.loss.standard_error,
        "floor": of.floor.nats,
        "gap": of.gap.nats,
        "gap_error": of.gap.standard_error,
        "seconds": history[-1]["seconds"],
        "flops": exact_training_flops(lm.model, history[-1]["tokens"], length),
    }
    answers = []
    for ability, items in ITEMS.items():
        if run.reads != "all" and not ability.startswith(run.reads):
            continue
        asked = items()
        given = answer(lm, asked)
        chance = sum(item.chance for item in asked) / len(asked)
        for name, ruler in RULERS.items():
            mean, error = score(given, ruler)
            answers.append(
                known
                | {
                    "n_body_params": point["n_body_params"],
                    "ability": ability,
                    "ruler": name,
                    "mean": mean,
                    "standard_error": error,
                    "n_items": len(asked),
                    "chance": chance,
                }
            )
    return {"point": point, "answers": answers}


def _body_params(model):
    """Parameters without the embeddings of tokens and positions, which Kaplan et al. (2020) leave
    out, too, and without the numbers that the head holds for each token of the vocabulary: its
    weights, where they are not the embedding's own, and BERT's bias.
    """
    tables = [m.weight for m in model.modules() if type(m).__name__ == "Embedding"]
    of_tokens = {id(p): p.numel() for p in (*tables, *model.get_output_embeddings().parameters())}
    return sum(p.numel() for p in model.parameters()) - sum(of_tokens.values())


def add_arguments(parser):
    """The options, which are the arguments of `run_sweep`."""
    parser.add_argument(
        "--folder", type=Path, default=Path("sweep"), help="checkpoints and points (default: sweep)"
    )
    again = "train only a few points, to compare this loop with the one that made all of them"
    plans = parser.add_mutually_exclusive_group()
    plans.add_argument("--again", dest="plan", action="store_const", const=AGAIN, help=again)
    more = "train only further seeds of the models that read sums alone"
    plans.add_argument("--more", dest="plan", action="store_const", const=MORE_SEEDS, help=more)
    parser.add_argument(
        "--output",
        type=Path,
        default=DATA,
        help="where the CSV files go (default: those of helpers)",
    )


def run(arguments):
    """Run with parsed arguments; processes of `accelerate launch` work side by side."""
    rank = os.environ.get("LOCAL_RANK", "0")
    for name in (
        "WORLD_SIZE",
        "RANK",
        "LOCAL_RANK",
        "LOCAL_WORLD_SIZE",
        "MASTER_ADDR",
        "MASTER_PORT",
    ):
        os.environ.pop(name, None)  # each trains models of its own
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", rank)
    run_sweep(arguments.folder, arguments.output, arguments.plan or PLAN)


def _write_tables(folder, output, plan):
    """Write what the folder holds; rows of other points stay as they are."""
    files = [_point_file(folder, run, tokens) for run in plan for tokens in run.tokens]
    points = [json.loads(file.read_text(encoding="utf-8")) for file in files if file.exists()]
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    answers = [row for point in points for row in point["answers"]]
    of_all = [point["point"] for point in points if point["point"]["reads"] == "all"]
    for name, rows in (("sweep", of_all), ("abilities", answers)):
        path = output / f"{name}.csv"
        before = pd.read_csv(path, skiprows=1) if path.exists() else pd.DataFrame({"loop": []})
        table = pd.concat([before, pd.DataFrame(rows)], ignore_index=True)
        key = [name for name in KEY if name in table]
        table = table.drop_duplicates(key, keep="last")
        write_table(path, f"python -m tests.tools.make_data sweep; on {machine}", table)
