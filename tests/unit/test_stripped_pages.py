"""What is left of a page on a code host's preview, where all styles are gone.

`tests/support/stripped.py` does to a notebook what such a preview does.
"""

import nbformat
import pytest

from tests.support import stripped
from tests.tools.minutes import notebooks

HIDDEN = '<span style="display:none">{}</span>'
ROW = (
    '<tr><th scope="row"><code>{}</code></th><td style="width:99%"><div aria-hidden="true">'
    '<div style="height:11px;width:{:.2f}%;background:blue"></div>' + HIDDEN + "</div></td>"
    '<td style="text-align:right">{}</td></tr>'
)
AXIS = f"<div style='display:flex'><span>0{HIDDEN.format(' to')}</span> <span>50 %</span></div>"
TABLE = (
    '<style>.x {{ color: red }}</style><table style="width:100%"><thead><tr><th>token</th>'
    f"<td>{AXIS}</td><th>%</th></tr></thead><tbody>{{}}</tbody></table>"
)
GOOD = TABLE.format(
    ROW.format(" cat", 85, "█" * 17, "42.5")
    + ROW.format(" dog", 12.6, "██▌", "6.3")
    + ROW.format(" fox", 0.1, "", "0.1")
)


@pytest.fixture(params=notebooks(), ids=lambda path: path.stem)
def path(request):
    return request.param


def html_outputs(path):
    """(id of the cell, HTML) for every stored output."""
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            if "text/html" in output.get("data", {}):
                yield cell.id, output.data["text/html"]


# ---- the stored pages


def test_no_word_of_a_stored_output_is_lost(path):
    wrong = {id_ for id_, html in html_outputs(path) if stripped.lost(html) or stripped.glued(html)}
    assert not wrong


def test_stored_bars_have_block_characters_beside_them(path):
    wrong = {id_ for id_, html in html_outputs(path) if not all_right(html)}
    assert not wrong


def all_right(html):
    return all(bar.right for bar in stripped.bars(html))


def test_nothing_in_angle_brackets_vanishes(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            assert stripped.vanishing(cell.source) == [], cell.id


def test_a_stripped_page_is_still_a_notebook(path):
    notebook = nbformat.read(path, as_version=4)
    page = stripped.page(notebook)
    nbformat.validate(page)
    assert [cell.id for cell in page.cells] == [cell.id for cell in notebook.cells]
    shown = nbformat.writes(page)
    for gone in ("source_hidden", "<style", "<svg", "image/svg+xml"):
        assert gone not in shown
    assert all("style=" not in html for html in map(html_of, page.cells))


def html_of(cell):
    outputs = cell.get("outputs", [])
    return "".join(output.get("data", {}).get("text/html", "") for output in outputs)


# ---- the stripper itself, on a page made by hand


def test_a_page_of_bars_passes():
    assert stripped.bars(GOOD) == [(85, "█" * 17), (12.6, "██▌"), (0.1, "")]
    assert all_right(GOOD)
    assert stripped.lost(GOOD) == stripped.glued(GOOD) == []
    left = stripped.stripped(GOOD)
    assert "█" * 17 in left
    assert "style" not in left
    assert "0<span> to</span>" in left


@pytest.mark.parametrize(
    "html",
    [
        GOOD.replace("██▌", "██"),
        GOOD.replace("██▌", "███"),
        GOOD.replace("█" * 17, ""),
        GOOD.replace(HIDDEN.format("██▌"), ""),
        GOOD.replace(HIDDEN.format("██▌"), "<span>██▌</span>"),
        GOOD.replace("██▌", "half"),
    ],
    ids=["too short", "too long", "empty", "none", "in view", "no blocks"],
)
def test_wrong_block_characters_are_found(html):
    assert html != GOOD
    assert not all_right(html)


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("<p>seen</p><svg><text>drawn</text></svg>", ["drawn"]),
        ("<p>seen</p><script>x</script><style>p {}</style>", []),
        ("<p>Move <revealed>now</revealed></p>", []),
        (f"<p>seen{HIDDEN.format('also')}</p>", []),
    ],
)
def test_lost_words_are_found(html, words):
    assert stripped.lost(html) == words


def test_an_axis_that_runs_together_is_found():
    assert stripped.glued("<div><span>0</span><span>50</span><span>100</span></div>")
    assert not stripped.glued(AXIS)


def test_sources_and_answers_come_into_view():
    folded = nbformat.v4.new_code_cell("x", metadata={"jupyter": {"source_hidden": True}})
    text = nbformat.v4.new_markdown_cell("<details><summary>Hint</summary>Half.</details> <kept>")
    page = stripped.page(nbformat.v4.new_notebook(cells=[folded, text]))
    assert not page.cells[0].metadata.jupyter
    assert page.cells[1].source == "<details open><summary>Hint</summary>Half.</details> "
    assert "source_hidden" in nbformat.writes(nbformat.v4.new_notebook(cells=[folded]))
