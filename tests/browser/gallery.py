"""The gallery: one notebook with every live view, every quiz and every picture, on tiny models.

What must hold of a view in a browser is tested here, where it costs seconds. `CELLS` is the page,
{name: source}, and `output(notebook, name)` finds what a cell shows.
"""

import ast
from pathlib import Path

import nbformat

NAME = "gallery.ipynb"
HOSTILE = (
    '<img src=x onerror="window.hacked=1"></script><script>window.hacked=2</script>'
    '<svg onload="window.hacked=3">\x1b[31mred\x1b[0m **bold** # heading '
    "[link](javascript:alert(1)) `code` $x^2$ &lt;b&gt; " + "long" * 40
)
CELLS = {
    "set-up": """
import pandas as pd
from IPython.utils.capture import capture_output

from helpers.charts import line_chart, text_cards
from helpers.explorers import (
    FillMaskExplorer, FrontierExplorer, HiddenWordExplorer, MaskExplorer, PageFiller, PowerExplorer,
    ReadingExplorer, RulerExplorer, SamplingExplorer, SurgeryExplorer,
    SurpriseExplorer, TrainingCostExplorer, TrainingExplorer,
    reading_picture, ruler_picture,
)
from helpers.lab.abilities import RULERS
from helpers.lab.echo import train_echo
from helpers.lab.pretraining import Training
from helpers.models import load_causal_lm, load_masked_lm
from helpers.quiz import Round, compare, exercise, guess, predict, quiz

with capture_output():  # progress bars of what is built for the test
    from tests.support.scripted import scripted
    from tests.support.tiny_models import tiny

    gpt, bert, bytes_gpt, pieces_bert = map(tiny, ("pocket-gpt2", "pocket-bert", "gpt2", "bert"))
""",
    "hidden word": 'HiddenWordExplorer(bert, "Once upon a time, a fox had a kite.")',
    "sampling": "SamplingExplorer(gpt)",
    "masks": 'MaskExplorer(gpt, bert, "The cat sat on the mat.", n_texts=3)',
    "page filler": 'PageFiller(bert, "The cat sat.")',
    "fill mask": "FillMaskExplorer(bert)",
    "reading": "ReadingExplorer(gpt, bert)",
    "rulers": """
answers = pd.DataFrame([
    {"ability": ability, "ruler": ruler, "n_body_params": 10**size, "standard_error": 0.02,
     "mean": size / (4 + n + hard)}
    for n, ruler in enumerate(RULERS)
    for hard, ability in enumerate(("sums of 1 digit", "sums of 2 digits"))
    for size in (2, 3, 4)
])
RulerExplorer(answers)
""",
    "training": """
pocket = load_causal_lm("pocket-gpt2", device="cpu"), load_masked_lm("pocket-bert", device="cpu")
history = [{"step": step, "loss": 8 / step} for step in (1, 2, 3)]
trainings = [
    Training({0: new, 3: old}, history, None) for new, old in zip((gpt, bert), pocket, strict=True)
]
TrainingExplorer(*trainings, "What is a", "The cat sat on the [MASK].")
""",
    "surprise": """
SurpriseExplorer({"tiny": gpt, "pocket-gpt2": pocket[0]}, "The baker said that she was late.")
""",
    "frontier": """
from helpers.lab import tables

grid = tables.read("frontier").query("temperature >= 1.5 and cut in ['no cut', 'top-k 3']")
FrontierExplorer(grid[:3], grid)
""",
    "power": "PowerExplorer()",
    "surgery": "SurgeryExplorer(train_echo(n_layer=2, steps=0)[0])",
    "training cost": "TrainingCostExplorer()",
    "quiz": 'quiz("06-2")',
    "number": """
share = predict("07-1")
share.guess(40)
share
""",
    "choices": 'predict("02-3")',
    "compared": 'compare("07-1", 62.5)',
    "compared later": 'compare("02-3", 0.4)',
    "not asked": 'compare("05-2", 25)',
    "solved": 'exercise("04-1", lambda share, n_tokens: share ** (1 / n_tokens))',
    "mistake": 'exercise("04-1", lambda share, n_tokens: share / n_tokens)',
    "first case": 'exercise("04-1", lambda share, n_tokens: share)',
    "error": 'exercise("04-1", lambda share, n_tokens: share / 0)',
    "your turn": 'exercise("04-1", lambda share, n_tokens: None)',
    "game": """
options = (" mat", " sofa", " roof", "something else")
rivals = {"the grammar": (0.4, 0.3, 0.2, 0.1), "word counts": (0.1, 0.1, 0.1, 0.7)}
texts = {"The cat sat on the": " mat", "The dog slept on the": " roof"}
guess([Round(text, options, answer, rivals) for text, answer in texts.items()])
""",
    "bytes": 'SamplingExplorer(bytes_gpt, "Once upon a time", top_k=5).still',
    "pieces": """
FillMaskExplorer(pieces_bert, "The [MASK] said [MASK].", ["cat", "dog"]).still
""",
    "reading picture": "reading_picture(gpt, bert, revealed=3)",
    "rulers picture": 'ruler_picture(answers, "Brier score")',
    "cards": 'text_cards("a b", {"greedy": "a b c d a b c d", "drawn": "a b d"}, repeats=True)',
    "chart": """
lines = {"causal": ([0, 50, 100], [3.0, 1.5, 1.2]), "masked": ([0, 50, 100], [3.1, 1.1, 0.9])}
line_chart(lines, "steps", "nats per token", floor=0.6)
""",
    "progress": """
from helpers.lab.pretraining import pretrain
from tqdm.auto import tqdm

for _ in tqdm(range(3), desc="settings"):
    pass
smallest = {"n_layer": 1, "d_model": 16, "n_head": 2, "tokens_per_step": 128}
_ = pretrain("causal", 120, **smallest)
""",
    "tree": """
from helpers.lab.best_text import text_tree
from helpers.models import load_causal_lm

text_tree(load_causal_lm("pocket-gpt2", device="cpu"), "What is a")
""",
    "hostile": f"""
hostile = {HOSTILE!r}
bytes_gpt.tokenizer.add_tokens([hostile[i : i + 10] for i in range(0, len(hostile), 10)])
writer, _ = scripted(bytes_gpt, hostile + " the cat")
writer.model.config.max_position_embeddings = 1000
n_tokens = len(writer.tokenizer(hostile).input_ids)
SamplingExplorer(writer, "a", top_k=1, max_new_tokens=n_tokens)
""",
}


def write_gallery(folder):
    """Write the page as a notebook to a folder."""
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in CELLS.values()]
    kernel = {"name": "python3", "display_name": "Python 3"}  # or the page would ask for one
    page = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(page, Path(folder) / NAME)


def shown_by(source):
    """The name of the function or class whose call ends a cell, or None.

    Example:
        >>> shown_by("x = 1"), shown_by("lm = tiny('gpt2')\\nSamplingExplorer(lm)")
        (None, 'SamplingExplorer')
    """
    last = ast.parse(source).body[-1]
    called = getattr(getattr(last, "value", None), "func", None)
    return called.id if isinstance(called, ast.Name) else None


def output(notebook, name):
    """What a cell of the gallery shows: a locator."""
    cell = notebook.locator(".jp-CodeCell").nth(list(CELLS).index(name))
    return cell.locator(".jp-OutputArea-output").last
