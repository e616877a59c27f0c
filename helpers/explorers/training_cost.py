"""What a training would cost: sliders for its size and hardware, each formula beside its result.

The loss is that of the refitted Chinchilla law. What a device can do, draws and costs is for the
reader to say: the numbers that stand there first are round ones. Left out: cooling, failed runs,
people, and what using the model costs.
"""

import functools
import html
import math
from numbers import Real

import ipywidgets as widgets

from helpers._plumbing.words import plain_number
from helpers.charts import Picture
from helpers.explorers._bars import headed, status_html
from helpers.explorers._controls import labelled, row
from helpers.explorers._explorer import Explorer
from helpers.lab.scaling import CHINCHILLA, compute_optimal, predict_loss, training_flops

INPUTS = {  # argument: label, the value it starts at, lowest, highest
    "billion_params": ("N, billions", 70, 0.001, 10_000),
    "billion_tokens": ("D, billions", 1400, 0.001, 100_000),
    "devices": ("devices", 1000, 1, 1_000_000),
    "teraflops": ("TFLOP/s", 100, 0.001, 100_000),
    "percent_used": ("used, %", 40, 1, 100),
    "watts": ("watts", 500, 1, 10_000),
    "dollars_per_hour": ("$ per hour", 2, 0.01, 1000),
}
MODELS = {  # what the still picture shows; sizes as the papers give them
    "GPT-3: 175 billion parameters, 300 billion tokens": (175, 300),
    "Chinchilla: 70 billion parameters, 1.4 trillion tokens": (70, 1400),
    "Llama 3.1 405B: 405 billion parameters, 15.6 trillion tokens": (405, 15600),
}
STEP = 0.01  # of the sliders, in powers of ten


def training_cost(**inputs):
    """What follows from the inputs, named as in INPUTS: {quantity: number}.

    Those left out stay where they start.

    Raises:
        TypeError: an input that is not one of INPUTS.
        ValueError, TypeError: an input below the lowest or above the highest value, or no number.

    Example:
        >>> cost = training_cost(billion_params=175, billion_tokens=300)  # GPT-3
        >>> cost["flops"], round(cost["tokens per parameter"], 1)
        (3.15e+23, 1.7)
    """
    if unknown := set(inputs) - set(INPUTS):
        raise TypeError(f"There is no input {min(unknown)!r}. There are: {', '.join(INPUTS)}.")
    given = {name: inputs.get(name, start) for name, (_, start, *_) in INPUTS.items()}
    for name, (_, _, low, high) in INPUTS.items():
        given[name] = plain_number(given[name], name, Real)
        if not low <= given[name] <= high:
            raise ValueError(f"{name} must lie between {low} and {high:,}, and is {given[name]}.")
    n, d = 1e9 * given["billion_params"], 1e9 * given["billion_tokens"]
    flops = training_flops(n, d)
    best_n, best_d = compute_optimal(CHINCHILLA, flops)
    device_hours = flops / (1e12 * given["teraflops"] * given["percent_used"] / 100) / 3600
    return {
        "loss": predict_loss(CHINCHILLA, n, d),
        "flops": flops,
        "tokens per parameter": d / n,
        "best n": best_n,
        "best d": best_d,
        "best loss": predict_loss(CHINCHILLA, best_n, best_d),
        "days": device_hours / given["devices"] / 24,
        "kWh": device_hours * given["watts"] / 1000,
        "dollars": device_hours * given["dollars_per_hour"],
    }


def _written(value):
    """A number with three digits that count, without an exponent while anybody can read it."""
    return f"{float(f'{value:.3g}'):,.12g}"


def _in_box(box, value):
    """What the box shows for a value of its coarser slider: a number of the reader's own stays."""
    return box.value if abs(math.log10(value / box.value)) < 0.501 * STEP else float(f"{value:.3g}")


def _quantities(inputs):
    """Each quantity, its value in words, the formula and the source."""
    cost, law = training_cost(**inputs), CHINCHILLA
    n, d = (_written(cost[name] / 1e9) for name in ("best n", "best d"))
    hours = _written(cost["kWh"] / inputs["watts"] * 1e3)
    loss = f"{cost['loss']:.3f} nats per token"
    formula = f"{law.E:.2f} + {law.A:.0f}/N^{law.alpha:.3f} + {law.B:.0f}/D^{law.beta:.3f}"
    best = f"{n} billion N, {d} billion D, loss {cost['best loss']:.3f}"
    flop, ratio = f"{cost['flops']:.3g} FLOP", _written(cost["tokens per parameter"])
    days, energy = f"{_written(cost['days'])} days", f"{_written(cost['kWh'])} kWh"
    dollars, hoffmann = f"{_written(cost['dollars'])} dollars", "Hoffmann and others (2022), eq."
    return [
        ("loss", loss, formula, f"{hoffmann} 2; Besiroglu and others (2024)"),
        ("operations", flop, "C = 6 N D", "Kaplan and others (2020), section 2.1"),
        ("tokens per parameter", ratio, "D / N", ""),
        ("best use of the same C", best, "lowest loss where 6 N D = C", f"{hoffmann} 4"),
        ("device hours", hours, "C / (FLOP/s × used) / 3600", ""),
        ("time", days, "device hours / devices / 24", ""),
        ("energy", energy, "device hours × watts / 1000", "without cooling"),
        ("cost", dollars, "device hours × dollars per hour", ""),
    ]


def _table(inputs):
    """The table as HTML, the sentence about it, and its lines."""
    lines = _quantities(inputs)
    style = "text-align:left;vertical-align:top;padding:3px 8px 3px 0;white-space:normal"
    style = f'style="{style};overflow-wrap:anywhere"'  # so that it fits a narrow page
    rows = "".join(
        f'<tr><th scope="row" {style}>{name}</th><td {style}><b>{html.escape(value)}</b></td>'
        f"<td {style}>{html.escape(formula)}<br><small>{html.escape(source)}</small></td></tr>"
        for name, value, formula, source in lines
    )
    known = {name: value for name, value, *_ in lines}
    sentence = f"loss {known['loss']}; {known['operations']}; "
    sentence += "; ".join(known[name] for name in ("time", "energy", "cost"))
    return f'<table style="max-width:756px;line-height:1.4">{rows}</table>', sentence, lines


def _page(inputs):
    """The sentence and the table as a `Picture`."""
    table, sentence, lines = _table(inputs)
    text = "\n".join(f"{name}: {value} = {formula}" for name, value, formula, _ in lines)
    return Picture(status_html(sentence) + table, text)


class TrainingCostExplorer(Explorer):
    """Number boxes and sliders for parameters, tokens and hardware, above what follows from them.

    The boxes are in `inputs`, {name: box} as in INPUTS, so that a cell can move them. What changes
    are `table` and `status`, each a `widgets.HTML`.

    Example:
        >>> explorer = TrainingCostExplorer()
        >>> explorer.inputs["devices"].value = 100
        >>> explorer.status.value.count("days")
        1
    """

    def __init__(self):
        super().__init__("Sliders for parameters, tokens and hardware")
        self.inputs, self.table, pairs = {}, widgets.HTML(), []
        for name, (label, start, low, high) in INPUTS.items():
            box = widgets.BoundedFloatText(start, min=low, max=high, description=label)
            limits = {"min": math.log10(low), "max": math.log10(high), "step": STEP}
            slider = widgets.FloatLogSlider(start, base=10, **limits)
            pairs.append(labelled(box, slider, functools.partial(_in_box, box)))
            self.inputs[name] = box
        self._draw_on(*self.inputs.values())
        self.children = [row(*pairs), self.status, self.table]
        self._draw()
        start, size = self._inputs(), ("billion_params", "billion_tokens")
        sizes = ((name, start | dict(zip(size, of, strict=True))) for name, of in MODELS.items())
        self.still = self._pictured([headed(name, _page(inputs)) for name, inputs in sizes])

    def _show(self):
        self.table.value, sentence, _ = _table(self._inputs())
        return (sentence,)

    def _inputs(self):
        return {name: box.value for name, box in self.inputs.items()}
