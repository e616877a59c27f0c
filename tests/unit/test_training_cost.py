"""TrainingCostExplorer: every formula gives the number beside it, and sliders and boxes move
together.
"""

import re

import pytest

from helpers.explorers import training_cost as module
from helpers.explorers.training_cost import (
    INPUTS,
    TrainingCostExplorer,
    training_cost,
)


def test_a_case_worked_out_by_hand():
    """6 x 1e9 x 1e9 operations at 1e12 x 50 % a second are 12 million seconds of one device."""
    cost = training_cost(
        billion_params=1,
        billion_tokens=1,
        devices=10,
        teraflops=1,
        percent_used=50,
        watts=360,
        dollars_per_hour=3,
    )
    assert cost["flops"] == pytest.approx(6e18)
    assert cost["days"] == pytest.approx(1.2e7 / 10 / 86_400)
    assert cost["kWh"] == pytest.approx(1.2e7 / 3600 * 0.36)
    assert cost["dollars"] == pytest.approx(1.2e7 / 3600 * 3)


def test_published_numbers():
    chinchilla = training_cost(billion_params=70, billion_tokens=1400)
    assert chinchilla["tokens per parameter"] == pytest.approx(20)
    assert chinchilla["flops"] == pytest.approx(5.88e23)
    assert chinchilla["best loss"] <= chinchilla["loss"] < chinchilla["best loss"] + 0.001
    gpt3 = training_cost(billion_params=175, billion_tokens=300)
    assert gpt3["best n"] < 60e9 < 900e9 < gpt3["best d"]
    assert gpt3["best loss"] < gpt3["loss"]


def test_more_devices_take_less_time_and_the_same_energy():
    one, ten = training_cost(devices=1), training_cost(devices=10)
    assert one["days"] == pytest.approx(10 * ten["days"])
    assert one["kWh"] == pytest.approx(ten["kWh"])


def test_every_line_names_its_formula():
    page = TrainingCostExplorer().table.value
    assert page.count("<tr>") == 8
    for formula in (
        "C = 6 N D",
        "hours × watts / 1000",
        "hours × dollars per hour",
        "1.82 + 482/N^0.348",
    ):
        assert formula in page
    for source in (
        "Kaplan and others (2020), section 2.1",
        "Hoffmann and others (2022), eq. 2",
        "Besiroglu",
    ):
        assert source in page


def test_numbers_are_readable():
    explorer = TrainingCostExplorer()
    explorer.inputs["devices"].value = 1
    assert "2,040,000 kWh" in explorer.status.value
    assert "170,000 days" in explorer.status.value


@pytest.mark.parametrize("name", INPUTS)
def test_each_box_moves_the_table_and_each_slider_its_box(name):
    explorer = TrainingCostExplorer()
    before, (box, slider) = (
        explorer.table.value,
        next(
            pair.children
            for pair in explorer.children[0].children
            if pair.children[0] is explorer.inputs[name]
        ),
    )
    box.value = 2 * box.value
    after = explorer.table.value
    assert after != before
    assert slider.value == pytest.approx(box.value)
    slider.value = box.value / 2
    assert box.value == pytest.approx(INPUTS[name][1], rel=1e-3)
    assert explorer.table.value == before


@pytest.mark.parametrize("name", INPUTS)
def test_a_slider_that_snaps_to_its_steps_leaves_the_box_alone(name):
    """A browser does that as soon as it shows the slider."""
    explorer = TrainingCostExplorer()
    box, slider = next(
        pair.children
        for pair in explorer.children[0].children
        if pair.children[0] is explorer.inputs[name]
    )
    for start in (box.value, 1.234):
        box.value = start
        power = module.math.log10(slider.value)
        for snapped in (module.math.floor(100 * power), module.math.ceil(100 * power)):
            if abs(snapped / 100 - power) <= 0.005:
                slider.value = 10 ** (snapped / 100)
                assert box.value == start
        slider.value = 10 ** (round(power, 2) + 0.01)
        assert box.value > start


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("end", ["min", "max"])
def test_no_slider_reaches_a_value_that_fails(name, end):
    explorer = TrainingCostExplorer()
    explorer.inputs[name].value = getattr(explorer.inputs[name], end)
    assert not re.search(r"\b(nan|inf)\b", explorer.table.value)


def test_boxes_have_names_and_changes_are_announced():
    explorer = TrainingCostExplorer()
    assert [box.description for box in explorer.inputs.values()] == [
        label for label, *_ in INPUTS.values()
    ]
    assert 'aria-live="polite"' in explorer.status.value
    before = explorer.status.value
    explorer.inputs["billion_params"].value = 7
    assert explorer.status.value != before


def test_wrong_input_is_explained():
    with pytest.raises(TypeError, match=r"no input 'gpus'\. There are: billion_params"):
        training_cost(gpus=8)
    with pytest.raises(ValueError, match="percent_used must lie between 1 and 100, and is 120"):
        training_cost(percent_used=120)


def test_the_static_page_is_the_widget_as_it_starts(words_shown):
    explorer = TrainingCostExplorer()
    for size in ((175, 300), (70, 1400), (405, 15600)):
        for name, value in zip(("billion_params", "billion_tokens"), size, strict=True):
            explorer.inputs[name].value = value
        assert explorer.table.value in explorer.still.html
    assert "Sliders for parameters, tokens and hardware" in words_shown(explorer)
