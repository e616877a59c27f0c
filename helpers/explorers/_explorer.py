"""What the explorers share: a status, code to copy, models to pick from, and errors that stand on
the page.
"""

import html
from contextlib import contextmanager

import ipywidgets as widgets

from helpers.charts import Picture, show_widget
from helpers.explorers._bars import sized, status_html
from helpers.models import KNOWN_MODELS, ModelNotAvailable

FOR_THE_READER = (
    ValueError,
    TypeError,
    ModelNotAvailable,
)  # errors whose sentences belong on the page


def never_seen(lm, text):
    """A sentence that names words which the model does not know; "" if it knows all."""
    unknown = lm.unknown_words(text)
    return f"{lm.name} has never seen: {', '.join(unknown[:8])}. " if unknown else ""


def load_lines(lm, bundled, from_hub):
    """The lines of a script that load this model: one of two templates."""
    on_hub = lm.name in KNOWN_MODELS and KNOWN_MODELS[lm.name].download_mb
    return (from_hub if on_hub else bundled).format(
        name=lm.name, kind=lm.kind, Kind=lm.kind.title()
    )


def bar_lines(bars):
    """Bars as lines of text."""
    lines = []
    for bar in bars:
        label = repr(bar.label) if bar.is_token else bar.label
        truth = "" if bar.truth is None else f"  truth {bar.truth:.1%}"
        lines.append(f"  {label:16} {'' if bar.kept else 'cut '}{bar.probability:.1%}{truth}")
    return lines


class Explorer(widgets.VBox):
    """A widget on language models. A subclass sets its `children` and defines

    - `_show()`: show the bars at the present settings, without running a model. It returns the
      sentence and the remark of the status, or None where the text could not be read;
    - `code()`: the script that does the same;
    - where there is a `model` to pick: `_load(name)`, and `_take_over()`, which starts afresh with
      another `lm`.
    """

    def __init__(self, what):
        super().__init__(layout={"max_width": "780px"})
        self._static = f"{what}, alive in a running notebook."
        self.status = widgets.HTML()
        self.show_code = widgets.ToggleButton(
            description="Show as code", icon="code", layout={"width": "auto"}
        )
        self._code = sized(widgets.Textarea(description="code", rows=20), "auto")
        self._draw_on(self.show_code)

    def _ipython_display_(self, **_):
        show_widget(self, Picture(f"<p><em>{html.escape(self._static)}</em></p>", self._static))

    def _draw_on(self, *controls):
        for control in controls:
            control.observe(self._draw, names="value")

    def _draw(self, _=None):
        """Show what is known at the present settings. Runs no model."""
        self._code.layout.display = "" if self.show_code.value else "none"
        with self._errors_on_page():
            if said := self._show():
                self.status.value, self._code.value = status_html(*said), self.code()

    def _offer(self, lm, names):
        """Ask `lm`, and offer others by name."""
        self.lm = self._first = lm
        self.model = widgets.Dropdown(
            options=list(dict.fromkeys([lm.name, *names])), description="model"
        )
        self.model.observe(self._change_model, names="value")
        return sized(self.model, "250px")

    def _change_model(self, change):
        if (name := change["new"]) == self.lm.name:
            return
        size = f" ({KNOWN_MODELS[name].download_mb} MB)" if name in KNOWN_MODELS else ""
        self.status.value = status_html(f"Loading {name}{size} ...")
        try:
            with self._errors_on_page():
                self.lm = self._first if name == self._first.name else self._load(name)
                self._take_over()
        finally:
            self.model.value = self.lm.name  # the old one, where the new one cannot be had

    @contextmanager
    def _errors_on_page(self, bars=None):
        """Errors go into the status. `bars` belong to another text, and look so, until all went
        well.
        """
        if bars is not None:
            bars.add_class("lmm-stale")
        try:
            yield
            if bars is not None:
                bars.remove_class("lmm-stale")
        except FOR_THE_READER as error:
            self.status.value = status_html("", str(error))
