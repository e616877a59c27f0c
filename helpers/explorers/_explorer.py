"""What the explorers share: a status, errors on the page, code to copy, models to pick."""

from contextlib import contextmanager

import ipywidgets as widgets

from helpers._plumbing.words import visible
from helpers.charts import LiveView, Picture
from helpers.explorers._bars import side_by_side, status_html
from helpers.explorers._controls import sized
from helpers.models import KNOWN_MODELS

STALE = '<div style="opacity:.4">'  # around what is shown while it is out of date
# Errors made for the page, and those of a device in the middle of its work
FOR_THE_READER = (ValueError, TypeError, RuntimeError, IndexError)


def never_seen(lm, text):
    """A sentence that names words which the model does not know; "" if it knows all."""
    unknown = lm.unknown_words(text)
    return f"{lm.name} has never seen: {', '.join(unknown[:8])}. " if unknown else ""


class Explorer(LiveView):
    """Controls, and views that follow them.

    A subclass sets its `children` and its `still`, by `_pictured`, and defines `_show()`: change
    the views to the present settings, without running a model. It returns the sentence and the
    remark of the status, or None where there is nothing to show.
    """

    def __init__(self, what):
        super().__init__(Picture("", what), layout={"max_width": "780px"})
        self._what, self.status = what, widgets.HTML()

    def _pictured(self, pictures, basis=280):
        """The still of a view: pictures of it at a few settings, `basis` pixels wide or more."""
        intro = f"{self._what}. Run the notebook to move them; here they are at a few settings."
        shown = side_by_side([picture.html for picture in pictures], basis, width=1000)
        lines = [intro, *(picture.text for picture in pictures)]
        return Picture(f"<p><em>{visible(intro)}</em></p>{shown}", "\n".join(lines))

    def _draw_on(self, *controls):
        for control in controls:
            control.observe(self._draw, names="value")

    def _draw(self, _=None):
        """Show what is known at the present settings. Runs no model."""
        with self._errors_on_page():
            if said := self._show():
                self._say(*said)

    def _say(self, sentence, remark=""):
        self.status.value = status_html(sentence, remark)

    @contextmanager
    def _errors_on_page(self, *views):
        """Errors go into the status. The `views` look out of date until they are drawn again."""
        for view in views:
            if not view.value.startswith(STALE):
                view.value = f"{STALE}{view.value}</div>"
        try:
            yield
        except FOR_THE_READER as error:
            self.status.value = status_html("", str(error))


class ModelExplorer(Explorer):
    """An explorer of language models, which also shows itself as code.

    A subclass defines `code()`, the script that does the same, and where there is a `model` to
    pick, `_load(name)` and `_take_over()`, which starts afresh with another `lm`.
    """

    def __init__(self, what):
        super().__init__(what)
        self.show_code = widgets.ToggleButton(description="Show as code", icon="code")
        self.show_code.layout.width = "auto"
        self._code = sized(widgets.Textarea(description="code", rows=20), "auto")
        self._draw_on(self.show_code)

    def _draw(self, _=None):
        self._code.layout.display = "" if self.show_code.value else "none"
        super()._draw()

    def _say(self, sentence, remark=""):
        super()._say(sentence, remark)
        self._code.value = self.code()

    def _offer(self, lm, names):
        """Ask `lm`, and offer others by name."""
        self.lm = self._first = lm
        names = list(dict.fromkeys([lm.name, *names]))
        self.model = widgets.Dropdown(options=names, description="model")
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
