"""Plain English: no turn that reads as translated, and sentences that can be read aloud.

What a pattern finds is in `tests/support/prose.py`.
"""

import pytest

from tests.support import prose
from tests.support.notebook_plugin import ROOT
from tests.tools.minutes import notebooks

LESSONS = sorted((ROOT / "helpers" / "data" / "lessons").glob("*.toml"))
READ_BESIDE = ("README.md", "notebooks/teaching_guide.md")
TRANSLATED = [  # from what readers stumbled over
    "The exact probability stands beside the model's own.",
    "Show it again behind the question.",
    "Draw the points anew, with replacement.",
    "It pays for whoever uses the model.",
    "Every token is to be read.",
    "The bars stay, for they do not see the word.",
    "It is less sure, for the left side is all it has.",
    "If you say nothing, transformers uses 50. Silence means 50.",
    "Cold: nearly every text is possible.",
    "Greedy is the limit of cold.",
    "Who reads the examples must get worse.",
    "It takes the word that is likeliest in its stead.",
    "The average of the last layer, less the average of all texts.",
]
PLAIN = [
    "The orange bars are the true chances. Compare them with the blue bars at temperature 1.",
    "About as unsure as picking from 8 equally likely words.",
    "Below 1, likely words get even likelier. Above 1, unlikely words catch up.",
    "The rest are scaled up so that they add up to 100 % again.",
    "If you leave `top_k` out, you get 50.",
    "Greedy means: always take the likeliest word.",
    "Who wrote this text?",
    "The bars stand still. The pocket model stands in for the real one.",
    "Move the slider to the right, for example to 2, and wait for the bars.",
    "It is free to you, for the moment.",
    "The word to guess is to the left of the bar.",
]


@pytest.mark.parametrize("text", TRANSLATED)
def test_a_translated_turn_is_found(text):
    assert len(prose.turns(text)) >= 1


@pytest.mark.parametrize("text", PLAIN)
def test_plain_english_passes(text):
    assert prose.turns(text) == []


def test_sentences_are_measured():
    text = "# A heading of many words here\n\n" + "word " * 40 + "end. Two are here.\n\n| a | b |"
    measured = prose.measure(text)
    assert measured == (0, 1, 22, 0.5)
    assert len(prose.too_long(text)) == 1


def hold(measured):
    """Fail where the sentences of a text are too long."""
    assert measured.too_long == 0, measured
    assert measured.mean <= prose.MEAN_AT_MOST, measured
    assert measured.long_share <= prose.LONG_SHARE_AT_MOST, measured


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_a_notebook_reads_plainly(path):
    assert prose.turns(prose.page(path)) == []
    hold(prose.measure(prose.page(path, core=True)))


@pytest.mark.parametrize("name", READ_BESIDE)
def test_what_is_read_beside_the_notebooks_reads_plainly(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert prose.turns(text) == []
    hold(prose.measure(text))


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_lessons_read_plainly(path):
    import tomllib

    table = tomllib.loads(path.read_text(encoding="utf-8"))
    text = "\n\n".join(prose.all_strings(table))
    assert prose.turns(text) == []
    assert prose.too_long(text) == []
