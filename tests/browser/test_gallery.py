"""The gallery shows all that there is: a new view cannot be forgotten."""

import importlib
import inspect
import pkgutil

import ipywidgets as widgets

import helpers.explorers
import helpers.quiz
from tests.browser.gallery import CELLS, shown_by

SHOWN = {shown_by(source) for source in CELLS.values()}


def modules():
    names = (module.name for module in pkgutil.iter_modules(helpers.explorers.__path__))
    return [importlib.import_module(f"helpers.explorers.{name}") for name in names]


def views():
    """The live views of the explorers: classes of widgets that no other one builds on."""
    found = {
        it
        for module in modules()
        for _, it in inspect.getmembers(module, inspect.isclass)
        if issubclass(it, widgets.VBox) and it.__module__.startswith(helpers.explorers.__name__)
    }
    return {it.__name__ for it in found if not any(issubclass(b, it) for b in found - {it})}


def test_every_view_is_on_the_gallery():
    assert len(views()) >= 5
    # The view of a real model is one of the explorers; its button has its tests with a hub.
    assert views() - SHOWN == {"RealModel"}


def test_every_picture_is_on_the_gallery():
    pictures = {name for module in modules() for name in vars(module) if name.endswith("_picture")}
    assert pictures >= {"reading_picture", "ruler_picture"}
    assert pictures - SHOWN == set()


def test_every_kind_of_question_is_on_the_gallery():
    source = "\n".join(CELLS.values())
    kinds = {
        name
        for name, it in inspect.getmembers(helpers.quiz, inspect.isfunction)
        if it.__module__ == helpers.quiz.__name__ and not name.startswith("_")
    }
    assert {kind for kind in kinds - {"equal_words"} if f"{kind}(" not in source} == set()
