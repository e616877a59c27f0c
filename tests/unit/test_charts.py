"""Pictures say in words what they show, and the words come from the data."""

import base64
import io
import itertools
import re
import subprocess
import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import image
from matplotlib.figure import Figure

import helpers.charts as charts
from helpers.charts import LiveView, Picture, describe, line_chart

SERIES = {"small": ([1, 10, 100], [4.0, 2.5, 2.0]), "large": ([1, 10, 100], [4.5, 1.25, 1.5])}


def test_the_sentence_is_computed_from_the_data():
    text = line_chart(
        SERIES, "steps", "nats per token", floor=0.98, floor_label="lowest possible"
    ).text
    assert text == (
        "Line chart of nats per token against steps. small: from 4 at 1 to 2 at 100. "
        "large: from 4.5 at 1 to 1.5 at 100, lowest 1.25 at 10. "
        "Dotted level, lowest possible: 0.98."
    )


def test_every_front_end_gets_an_alternative():
    picture = line_chart(SERIES, "<steps>", '"loss"')
    bundle = picture._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain", "image/png"}
    assert bundle["text/plain"] == f"<figure: {picture.text}>"
    alt = re.search(r'<img alt="([^"]*)"', bundle["text/html"])[1]
    assert "&quot;loss&quot; against &lt;steps&gt;" in alt
    assert bundle["image/png"] in bundle["text/html"]


@pytest.mark.parametrize(
    ("xs", "labels"), [([2_000, 90_000], ["2,000", "50,000"]), ([10, 3e7], ["100,000", "1e+07"])]
)
def test_log_axes_carry_plain_numbers(xs, labels, monkeypatch):
    monkeypatch.setattr(charts, "describe", lambda fig, alt: fig)
    ax = line_chart({"loss": (xs, [3.0, 0.2])}, "x", "y", log_x=True, log_y=True).axes[0]
    shown = {
        axis.axis_name: [axis.get_major_formatter()(tick) for tick in axis.get_majorticklocs()]
        for axis in (ax.xaxis, ax.yaxis)
    }
    assert set(labels) <= set(shown["x"])
    assert {"0.2", "0.5", "1", "2"} <= set(shown["y"])


def test_the_background_is_opaque_white():
    pixels = image.imread(
        io.BytesIO(base64.b64decode(line_chart(SERIES, "x", "y")._repr_mimebundle_()["image/png"]))
    )
    assert (pixels[:3] == 1).all()
    assert (pixels[..., 3] == 1).all()


def test_lines_differ_by_more_than_colour(monkeypatch):
    drawn = []
    monkeypatch.setattr(charts, "describe", lambda fig, alt: drawn.append(fig) or Picture("", alt))
    line_chart(
        {str(i): ([0, 1], [i, i]) for i in range(6)},
        "x",
        "y",
        floor=-1,
        floor_label="floor",
        log_x=False,
    )
    lines = drawn[0].axes[0].lines
    assert len({line.get_marker() for line in lines[:6]}) == 6
    assert len({line.get_color() for line in lines[:6]}) == 6
    assert len({str(line._unscaled_dash_pattern) for line in lines[:6]}) == 6
    assert {text.get_text() for text in drawn[0].axes[0].texts} == {*"012345", "floor"}
    assert lines[6].get_ydata()[0] == -1


def test_labels_at_the_ends_do_not_cover_each_other(monkeypatch):
    drawn = []
    monkeypatch.setattr(charts, "describe", lambda fig, alt: drawn.append(fig) or Picture("", alt))
    line_chart(
        {"a": ([0, 1], [0, 1.00]), "b": ([0, 1], [0, 1.01]), "c": ([0, 1], [0, 1.02])}, "x", "y"
    )
    ax = drawn[0].axes[0]
    drawn[0].canvas.draw()
    boxes = sorted((text.get_window_extent() for text in ax.texts), key=lambda box: box.y0)
    assert all(low.y1 <= high.y0 + 1 for low, high in itertools.pairwise(boxes))


def test_labels_stay_at_their_ends_on_an_axis_turned_over(monkeypatch):
    drawn = []
    monkeypatch.setattr(charts, "describe", lambda fig, alt: drawn.append(fig) or Picture("", alt))
    line_chart({"high": ([0, 1], [1, 0.0]), "low": ([0, 1], [1, 0.5])}, "x", "y", y_limits=(1, 0))
    offsets = {text.get_text(): text.get_position()[1] for text in drawn[0].axes[0].texts}
    assert offsets == pytest.approx({"high": 0, "low": 0})


def test_logarithmic_axes_and_limits(monkeypatch):
    drawn = []
    monkeypatch.setattr(charts, "describe", lambda fig, alt: drawn.append(fig) or Picture("", alt))
    line_chart(SERIES, "x", "y", log_x=True, log_y=True, y_limits=(1, 10))
    ax = drawn[0].axes[0]
    assert (ax.get_xscale(), ax.get_yscale(), ax.get_ylim()) == ("log", "log", (1, 10))


@pytest.mark.parametrize("series", [{}, {"a": ([], [])}, {"a": ([1, 2], [1])}])
def test_nothing_to_draw_is_explained(series):
    with pytest.raises(ValueError, match="at least one"):
        line_chart(series, "x", "y")


def test_no_pyplot_figure_stays_open():
    describe(Figure(), "empty")
    line_chart(SERIES, "x", "y")
    pyplot = __import__("sys").modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()
    assert matplotlib.rcParams["figure.facecolor"] == matplotlib.rcParamsDefault["figure.facecolor"]


def test_a_widget_brings_its_page_along(monkeypatch):
    shown = []
    monkeypatch.setattr(charts, "display", lambda data, raw: shown.append((data, raw)))
    box = LiveView(Picture("<p>still</p>", "still"))
    box._ipython_display_()
    ((data, raw),) = shown
    assert raw
    assert data["text/html"] == "<p>still</p>"
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == box.model_id


@pytest.mark.parametrize(
    ("series", "error", "words"),
    [
        ([1, 2], ValueError, "Give at least one series"),
        ({"loss": ([1, "2"], [3.0, 4.0])}, TypeError, "must be a number, not '2'"),
        ({"loss": ([1, 2], [3.0, None])}, TypeError, "must be a number, not None"),
        ({"loss": ([0, 1], [3.0, 2.0])}, ValueError, "a logarithmic axis has no place"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_its_label(series, error, words):
    with pytest.raises(error, match=words):
        line_chart(series, "x", "y", log_x=True)


def test_points_may_come_from_any_library():
    columns = {"a": (pd.Series([1, 2]), np.array([3.0, 4.0])), "b": ([1, 2], torch.tensor([5, 6]))}
    assert (
        "a: from 3 at 1 to 4 at 2. b: from 5 at 1 to 6 at 2." in line_chart(columns, "x", "y").text
    )


def test_pictures_need_no_torch():
    code = "import sys, helpers.charts; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
