"""The pictures of the README, from a real JupyterLab: `python -m tests.tools.pictures`.

A notebook with one `SamplingExplorer` runs in headless Chromium, its sliders are moved, and every
change is a frame. For the light and for the dark theme it writes an animation, and a still for
readers who want no motion, to `.github/pictures/`. Needs Chromium, as the browser tests do.
"""

import argparse
import io
import re
import sys
import tempfile

import nbformat
from PIL import Image
from playwright.sync_api import expect

from tests.browser.hands import all_widgets, wait_until_still
from tests.support.jupyterlab import find_browser, running_browser, running_lab, set_theme
from tests.support.notebook_plugin import ROOT

FOLDER = ROOT / ".github" / "pictures"
CELL = """
from helpers.explorers import SamplingExplorer
from helpers.models import load_causal_lm

SamplingExplorer(load_causal_lm("pocket-gpt2"), "What is a", temperature=1.0, top_k=None)
"""
LIMIT = 1.5e6  # bytes
MARGIN = 12  # pixels beside the explorer
NOTE = 60  # pixels below it, for a text that grows by some lines
# label of the number box beside the slider, the places that the slider comes to, ms that each is
# shown
SCRIPT = (
    ("temperature", (1.0,), 900),
    ("temperature", (0.9, 0.8, 0.7, 0.6, 0.5, 0.4), 130),
    ("temperature", (0.3,), 1100),
    ("temperature", (0.5, 0.7, 1.0, 1.3, 1.6), 130),
    ("temperature", (2.0,), 1100),
    ("top-k", (398, 50, 20, 12, 8), 130),
    ("top-k", (5,), 1300),
    ("temperature", (1.6, 1.3), 130),
    ("temperature", (1.0,), 900),
)
STEPS = 8  # presses of *Step* at the end, if the text does not end before, 350 ms each


def put(explorer, label, value):
    box = explorer.get_by_label(label, exact=True)
    box.fill(str(value))
    box.press("Enter")


def press(explorer, label):
    explorer.get_by_role("button", name=re.compile(rf"\b{label}$")).click()


def frames(explorer):
    """Pairs of a picture and the ms that it is shown."""
    page, status = explorer.page, explorer.locator("[role=status]")
    put(explorer, "top-k", 2697)
    press(explorer, "Start over")
    wait_until_still(explorer)
    explorer.evaluate("it => it.scrollIntoView({block: 'center'})")
    place = explorer.bounding_box()
    clip = {"x": place["x"] - MARGIN, "y": place["y"], "width": 780 + 2 * MARGIN}
    clip["height"] = place["height"] + NOTE

    def shot(ms):
        page.evaluate("() => document.activeElement.blur()")
        return Image.open(io.BytesIO(page.screenshot(clip=clip, animations="disabled"))).convert(
            "RGB"
        ), ms

    for label, values, ms in SCRIPT:
        for value in values:
            put(explorer, label, value)
            expect(status).to_contain_text(
                f"{label} {value:.2f}" if label == "temperature" else f"{label} {value}:"
            )
            yield shot(ms)
    for n in range(1, STEPS + 1):
        press(explorer, "Step")
        expect(status).to_contain_text(re.compile(rf"token {n} is|ended its text"))
        yield shot(350)
        if "ended" in status.inner_text():
            break
    yield shot(2500)


def save(pictures, stem):
    images, times = zip(*pictures, strict=True)
    file = FOLDER / f"{stem}.webp"
    images[0].save(
        file,
        save_all=True,
        append_images=images[1:],
        duration=times,
        loop=0,
        lossless=True,
        method=4,
    )
    images[0].save(FOLDER / f"{stem}.png", optimize=True)  # temperature 1, many bars
    return file


def draw(lab, browser):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
    }  # or the page would ask for one
    nbformat.write(notebook, lab.work / "notebooks" / "pictures.ipynb")
    FOLDER.mkdir(parents=True, exist_ok=True)
    sharp = {"device_scale_factor": 2, "viewport": {"width": 1000, "height": 1000}}
    with lab.opened(browser, "pictures.ipynb", **sharp) as opened:
        (explorer,) = all_widgets(opened.notebook)
        for theme in ("Light", "Dark"):
            set_theme(opened.page, theme)
            file = save(frames(explorer), f"sliders_{theme.lower()}")
            print(f"{file.relative_to(ROOT)}: {file.stat().st_size / 1e6:.2f} MB")
            if file.stat().st_size > LIMIT:
                sys.exit(f"That is more than {LIMIT / 1e6} MB.")


def main():
    parser = argparse.ArgumentParser(
        prog="python -m tests.tools.pictures", description=__doc__.split("\n")[0]
    )
    parser.parse_args()
    if find_browser() is None:
        sys.exit(
            "No Chromium on this machine: install it, or name its file in the variable CHROMIUM."
        )
    with (
        tempfile.TemporaryDirectory() as folder,
        running_browser() as browser,
        running_lab(folder) as lab,
    ):
        draw(lab, browser)


if __name__ == "__main__":
    main()
