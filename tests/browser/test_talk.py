"""Every slide of every talk in a real browser, with no network: nothing overflows, nothing is
small."""

import pytest

from helpers._plumbing.talk import write_talk
from tests.tools import minutes

NUMBERS = [path.stem[:2] for path in minutes.notebooks()]
SLIDE = {"width": 1120, "height": 630}
MEASURE = """() => {
    const slide = document.querySelector('.now'), frame = slide.getBoundingClientRect()
    const size = element => parseFloat(getComputedStyle(element).fontSize)
    const sizes = chosen => [...slide.querySelectorAll(chosen)].map(size)
    const edges = [...slide.querySelectorAll('.body *')].map(one => one.getBoundingClientRect())
        .filter(box => box.width && box.height)
    return {
        right: Math.max(...edges.map(box => box.right)) - frame.left,
        bottom: Math.max(...edges.map(box => box.bottom)) - frame.top,
        prose: sizes('.body > p, .body > * > li, .body > .question p, .body > .question li'),
        code: sizes('pre.code'), printed: sizes('pre.printed'),
        cards: [...slide.querySelectorAll('.cards')].flatMap(card =>
            [...card.querySelectorAll('p')].map(p => size(p) * card.style.zoom)),
        text: slide.innerText,
    }
}"""


@pytest.fixture
def talk(browser, tmp_path):
    """A function that opens a talk: (page, what it asked the network for, errors)."""
    context = browser.new_context(viewport=SLIDE, offline=True)

    def opened(number):
        page, asked = context.new_page(), []
        page.on("request", lambda one: asked.append(one.url))
        page.on("pageerror", lambda error: asked.append(str(error)))
        page.goto(write_talk(number, tmp_path).as_uri())
        page.wait_for_selector(".laid-out .now")
        return page, asked

    yield opened
    context.close()


@pytest.mark.parametrize("number", NUMBERS)
def test_every_slide_fits_and_can_be_read(talk, number):
    page, asked = talk(number)
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
        page.keyboard.press("ArrowRight")
    assert page.evaluate("document.querySelectorAll('section').length") == 0
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_the_keys_and_the_notes(talk):
    page, _ = talk("05")

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
    with page.expect_popup() as opened:
        page.keyboard.press("s")
    notes = opened.value
    assert f"{count} of {count}" in notes.locator("body").inner_text()
    assert "Right: " in notes.locator("body").inner_text()
    assert "Right: " not in page.locator(".now").inner_text()
    notes.keyboard.press("Home")  # the keys work there too
    assert number() == 1
    assert f"1 of {count}. Next: " in notes.locator("body").inner_text()


def test_a_slide_fills_the_window_at_any_size(talk):
    page, _ = talk("05")
    page.keyboard.press("ArrowRight")
    for width, height in [(1920, 1080), (1024, 768), (800, 400)]:
        page.set_viewport_size({"width": width, "height": height})
        box = page.locator(".now").bounding_box()
        scale = min(width / 1120, height / 630)
        assert box["width"] == pytest.approx(1120 * scale, abs=1)
        assert box["height"] == pytest.approx(630 * scale, abs=1)
        assert box["x"] + box["width"] <= width + 1
