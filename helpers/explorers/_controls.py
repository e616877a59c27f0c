"""The controls of the explorers: sliders with a number box, buttons, rows that wrap."""

import math

import ipywidgets as widgets


def labelled(box, slider, to_box):
    """A slider after the labelled number box that leads it; the box alone has a name to say.

    `to_box` gives the number in the box for a position of the slider.

    Example:
        >>> box, slider = widgets.IntText(5, description="k"), widgets.IntSlider()
        >>> labelled(box, slider, int).children[1].value
        5
    """

    def follow(_=None):
        if to_box(slider.value) != box.value and not math.isnan(box.value):
            slider.value = box.value

    slider.observe(lambda change: setattr(box, "value", to_box(change["new"])), names="value")
    box.observe(follow, names="value")
    follow()
    slider.readout = False
    slider.layout = {"flex": "1 1 60px", "min_width": "60px", "margin": "2px 8px"}
    layout = {"flex": "1 1 auto", "width": "330px", "min_width": "0", "max_width": "100%"}
    return widgets.HBox([sized(box), slider], layout=layout)


def sized(control, width="170px"):
    """The control, as wide as that, its label included."""
    control.layout.width, control.style.description_width = width, "84px"
    return control


def button(label, icon, action):
    """A button that calls `action(button)`."""
    made = widgets.Button(description=label, icon=icon, layout={"width": "auto"})
    made.on_click(action)
    return made


def row(*controls):
    """Controls beside each other, on a second line where the page is narrow."""
    return widgets.HBox(controls, layout={"flex_flow": "row wrap"})
