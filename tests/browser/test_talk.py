"""Every slide of every talk in a real browser, with no network: nothing overflows, nothing is
small. And every worksheet is one page of paper.
"""

import re

import nbformat
import pytest

from helpers._plumbing import classroom
from helpers._plumbing.talk import write_talk
from tests.tools import minutes

NUMBERS = [path.stem[:2] for path in minutes.notebooks()]
UNSET = (  # on no slide
    r"\$\$|\\(cdot|frac|log|exp|times)|Run the notebook|Run it to|[Bb]utton"
    r"|In a terminal|appear here"
)
SLIDE = {"width": 1120, "height": 630}
MEASURE = """() => {
    const slide = document.querySelector('.now'), frame = slide.getBoundingClientRect()
    const size = one => parseFloat(getComputedStyle(one).fontSize)
    const sizes = chosen => [...slide.querySelectorAll(chosen)].map(size)
    const boxes = [...slide.querySelectorAll('.body, .body *')]
        .map(one => one.getBoundingClientRect())
        .filter(box => box.width && box.height)
    return {
        right: Math.max(...boxes.map(box => box.right)) - frame.left,
        bottom: Math.max(...boxes.map(box => box.bottom)) - frame.top,
        prose: sizes('.body > p, .body > * > li, .question p, .question li'),
        code: sizes('pre.code'),
        printed: sizes('pre.printed'),
        cards: [...slide.querySelectorAll('.cards p')]
            .map(one => size(one) * one.closest('figure').style.zoom),
        text: slide.innerText,
    }
}"""

TEXTS = """() => slides.map((one, i) => {
    show(i)
    return one.querySelector('.body').innerText
})"""


@pytest.fixture
def offline(browser, tmp_path):
    """A function that opens a file with no network: (page, what it asked for, and its errors)."""
    context = browser.new_context(viewport=SLIDE, offline=True)

    def open_file(path):
        page, asked = context.new_page(), []
        page.on("request", lambda one: asked.append(one.url[:80]))
        page.on("pageerror", lambda error: asked.append(str(error)))
        page.goto(path.as_uri())
        return page, asked

    yield open_file
    context.close()


def talk_of(number, offline, tmp_path):
    page, asked = offline(write_talk(number, tmp_path))
    page.wait_for_selector(".laid-out .now")
    return page, asked


@pytest.fixture
def small_talk(offline, tmp_path, monkeypatch):
    """A function that opens the talk of a few cells of text or output."""

    def of(*blocks):
        cells = [nbformat.v4.new_markdown_cell("# A talk", metadata={"tags": ["core"]})]
        for block in blocks:
            if block.startswith("<"):
                data = nbformat.v4.new_output("display_data", data={"text/html": block})
                cells.append(nbformat.v4.new_code_cell("x", outputs=[data]))
            else:
                cells.append(nbformat.v4.new_markdown_cell(block))
            cells[-1].metadata["tags"] = ["core"]
        (tmp_path / "notebooks").mkdir()
        path = tmp_path / "notebooks" / "05_a.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
        monkeypatch.setattr(classroom, "REPOSITORY", tmp_path)
        page, asked = talk_of("05", offline, tmp_path)
        assert len(asked) == 1
        return page.evaluate(TEXTS), page

    return of


@pytest.mark.parametrize("number", NUMBERS)
def test_every_slide_fits_and_can_be_read(number, offline, tmp_path):
    page, asked = talk_of(number, offline, tmp_path)
    count = page.evaluate("slides.length")
    assert count >= 10
    for i in range(count):
        seen = page.evaluate(MEASURE)
        assert f"{i + 1} / {count}" in seen["text"]
        assert seen["right"] <= SLIDE["width"] - 39, (i, seen)
        assert seen["bottom"] <= SLIDE["height"] - 47, (i, seen)
        assert min(seen["prose"], default=27) >= 27, (i, seen)
        least = 27 if len(seen["cards"]) > 1 else 19  # one long text is not split, but scaled
        assert min(seen["cards"], default=27) > least - 0.01, (i, seen)
        assert min(seen["code"], default=19) >= 19, (i, seen)
        assert min(seen["printed"], default=15) >= 15, (i, seen)
        assert not re.search(UNSET, seen["text"]), (i, seen)
        page.keyboard.press("ArrowRight")
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_the_keys_and_the_notes(offline, tmp_path):
    page, _ = talk_of("05", offline, tmp_path)

    def number():
        return int(page.locator(".now footer").inner_text().split(" ")[0])

    count = page.evaluate("slides.length")
    for key, at in [
        ("ArrowRight", 2),
        ("PageDown", 3),
        ("Space", 4),
        ("ArrowLeft", 3),
        ("Home", 1),
        ("ArrowLeft", 1),
        ("End", count),
        ("ArrowRight", count),
    ]:
        page.keyboard.press(key)
        assert number() == at, key
    with page.expect_popup() as popup:
        page.keyboard.press("s")
    notes = popup.value
    assert f"{count} of {count}" in notes.locator("body").inner_text()
    assert "Right: " in notes.locator("body").inner_text()
    assert "Right: " not in page.locator(".now").inner_text()
    notes.keyboard.press("Home")  # the keys work there too
    assert number() == 1
    assert f"1 of {count}. Next: " in notes.locator("body").inner_text()


AS_WIDE = """width =>
    Math.abs(document.querySelector('.now').getBoundingClientRect().width - width) < 1"""


def test_a_slide_fills_the_window_at_any_size(offline, tmp_path):
    page, _ = talk_of("05", offline, tmp_path)
    page.keyboard.press("ArrowRight")
    for width, height in [(1920, 1080), (1024, 768), (800, 400)]:
        page.set_viewport_size({"width": width, "height": height})
        scale = min(width / 1120, height / 630)
        page.wait_for_function(AS_WIDE, arg=1120 * scale)
        box = page.locator(".now").bounding_box()
        assert box["height"] == pytest.approx(630 * scale, abs=1)
        assert box["x"] + box["width"] <= width + 1


def test_a_long_list_goes_on_with_its_next_number(small_talk):
    items = [
        f"{i}. Line {i} says something, and it is about as long as a line." for i in range(1, 21)
    ]
    slides, page = small_talk("## List\n\n" + "\n".join(items))
    assert len(slides) >= 3
    assert all(one.startswith("List") for one in slides[1:])
    assert re.findall(r"Line (\d+)", "\n".join(slides)) == [str(i) for i in range(1, 21)]
    starts = page.evaluate("slides.slice(1).map(one => one.querySelector('ol').start)")
    first = [int(re.search(r"Line (\d+)", one)[1]) for one in slides[1:]]
    assert starts == first


def test_the_settings_of_a_view_get_a_slide_each(small_talk):
    bar = "<td align='left' style='width:99%'>bar</td>"
    row = f"<tr><th>word</th>{bar}<th>80.8</th><th>23.5</th></tr>"
    table = f"<table style='width:100%;font-size:13px'>{row * 9}</table>"
    parts = [
        f"<div style='flex:1 1 280px'><p>temperature {t}</p>{table}</div>" for t in (0.3, 1, 2)
    ]
    flex = (
        f"<div style='display:flex;flex-wrap:wrap;gap:8px;max-width:1000px'>{''.join(parts)}</div>"
    )
    slides, _ = small_talk("## View", f"<p><em>A view. Run the notebook to move it.</em></p>{flex}")
    assert [re.findall(r"temperature (\S+)", one) for one in slides] == [[], ["0.3"], ["1"], ["2"]]
    assert "Run the notebook" not in "".join(slides)


def test_a_wide_table_is_scaled(small_talk):
    table = "| " + " | ".join(f"{'word' * 5}{i}" for i in range(9)) + " |\n" + "|---" * 9 + "|\n"
    slides, page = small_talk(f"## Table\n\n{table}{'| a ' * 9}|")
    page.keyboard.press("End")
    assert page.evaluate(MEASURE)["right"] <= SLIDE["width"] - 39
    assert len(slides) == 2


def test_what_is_announced_stays_with_its_announcement(small_talk):
    text = "A long sentence about many small things that fills the slide. " * 9
    slides, _ = small_talk(f"## One\n\n{text}\n\nFive things:\n\n" + "\n".join(["- a thing"] * 5))
    assert "Five things:" in slides[2]
    assert "Five things:" not in slides[1]


def test_what_is_not_shown_is_not_announced(small_talk):
    slides, page = small_talk("## One\n\nA word. Here is a list:\n\nAnother word.")
    assert slides[1] == "One\n\nA word.\n\nAnother word."
    assert page.evaluate("slides[1].querySelector('aside').textContent") == "Here is a list:"


def test_the_notes_of_a_guess_say_what_comes(offline, tmp_path):
    page, _ = talk_of("05", offline, tmp_path)
    notes = page.evaluate("""slides.filter(one => one.querySelector('.guess'))
        .map(one => one.querySelector('.guess').parentElement.innerHTML)""")
    assert len(notes) == 2
    assert "Then comes: Line chart of % of 48 texts against temperature" in notes[1]


def test_every_worksheet_is_one_page(offline, tmp_path):
    page, asked = offline(classroom.write_worksheets(tmp_path))
    assert len(asked) == 1
    pdf = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == len(NUMBERS)
    (width, height) = map(float, re.search(rb"/MediaBox \[0 0 (\S+) (\S+)\]", pdf).groups())
    assert (width, height) == pytest.approx((595, 842), abs=1)  # points: A4
    left = page.evaluate("""() => [...document.querySelectorAll('.sheet')].map(sheet =>
        sheet.clientHeight - sheet.firstElementChild.getBoundingClientRect().height
            - 2 * parseFloat(getComputedStyle(sheet).paddingTop))""")
    assert min(left) >= 0
