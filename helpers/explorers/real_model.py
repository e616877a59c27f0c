"""A real model under its sliders, once it is on this machine; until then a button that fetches it.

Running a page downloads nothing: the model comes from the local cache, or after the reader has
pressed the button. Until then the page shows what a real model wrote when it was recorded, in
`helpers/data/recorded.json`. Left out: models that no one has measured the size of.
"""

import json

import ipywidgets as widgets

from helpers._plumbing.files import DATA
from helpers._plumbing.hub import cached_folder
from helpers._plumbing.words import shown, visible
from helpers.charts import LiveView, Picture, text_cards
from helpers.explorers._bars import Bar, bars_html, headed, side_by_side, status_html
from helpers.explorers._controls import button
from helpers.explorers.fill_mask import FillMaskExplorer
from helpers.explorers.sampling import SamplingExplorer
from helpers.generation import GeneratedText
from helpers.models import KNOWN_MODELS, ModelNotAvailable, load_causal_lm, load_masked_lm

VIEWS = {"causal": (load_causal_lm, SamplingExplorer), "masked": (load_masked_lm, FillMaskExplorer)}
RECORDED = DATA / "recorded.json"
TITLES = {"gpt2": "GPT-2", "bert-base-uncased": "BERT"}


def recording(text, kind="causal", file=RECORDED):
    """What a real model wrote, and its likeliest tokens after the text or in its blank.

    Where nothing is known of the text, or it went on from it, all that it wrote follows. Returns a
    `Picture`, labelled with the model and the date; an empty one where no model of the kind is
    recorded.

    Example:
        >>> recording("Once upon a time, in a small village").text[:38]
        'Recorded 2026-11-27 from SmolLM2-135M-'
    """
    kept = json.loads(file.read_text(encoding="utf-8")).get(kind)
    if not kept:
        return Picture("", "")
    where, pictures = {"causal": "after", "masked": "in the blank of"}[kind], []
    if likeliest := kept["likeliest"].get(text):
        bars = [Bar(token, probability) for token, probability in likeliest]
        bars.append(Bar("all others", 1 - sum(bar.probability for bar in bars), is_token=False))
        lines = ", ".join(f"{bar.label!r} {bar.probability:.1%}" for bar in bars)
        pictures.append(headed(f"the token {where} {text!r}", Picture(bars_html(bars), lines)))
    if not pictures or text in [one["prompt"] for one in kept["texts"]]:
        pictures += [_card(one) for one in kept["texts"]]
    return _labelled(kept, "".join(picture.html for picture in pictures), pictures)


def recorded_choices(file=RECORDED):
    """What the recorded causal model made of notebook 04's labels: {prompts: [right, the two]}.

    The two: how probable the two labels were together.

    Example:
        >>> list(recorded_choices())[0]
        '0 examples'
    """
    return json.loads(file.read_text(encoding="utf-8"))["causal"]["choices"]


def recorded_chat(file=RECORDED):
    """One question to a chat model as raw text and through its chat template, side by side.

    Returns a `Picture`, labelled; an empty one where the recorded model has no such template.

    Example:
        >>> recorded_chat().text.count("Give me three names for a cat.")
        2
    """
    kept = json.loads(file.read_text(encoding="utf-8"))["causal"]
    cards = [_card(one, f"{how}, ") for how, one in kept.get("chat", {}).items()]
    if not cards:
        return Picture("", "")
    return _labelled(kept, side_by_side([card.html for card in cards]), cards)


def _labelled(kept, page, pictures):
    said = f"Recorded {kept['date']} from {kept['about']}."
    text = "\n".join([said, *(picture.text for picture in pictures)])
    return Picture(f"<p><em>{visible(said)}</em></p>{page}", text)


def _card(one, how=""):
    written = GeneratedText(one["text"])
    written.ended = one["ended"]
    size = f"{one['n_words']} words in {one['n_tokens']} tokens"
    return text_cards(one["prompt"], {f"{how}temperature {one['temperature']}, {size}": written})


class RealModel(LiveView):
    """The explorer of a model of the hub on a text, or the button that downloads it first.

    Below the button is the `recording` of a model of its kind. `lm` is the model, None until it is
    here; `explorer` its view; `fetch` does what the button does; `status` is the `widgets.HTML`
    with what happened.

    Raises:
        ValueError: a model that is none of KNOWN_MODELS.

    Example:
        >>> RealModel("gpt-9", "Once upon a time")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        ValueError: 'gpt-9' is none of the known models: pocket-gpt2, ...
    """

    def __init__(self, name, text):
        if not isinstance(name, str) or name not in KNOWN_MODELS:
            known = ", ".join(KNOWN_MODELS)
            raise ValueError(f"{shown(name)} is none of the known models: {known}.")
        self._name, self._text, self.lm = name, text, None
        self.status, self._progress = widgets.HTML(), widgets.Output()
        title, known = TITLES.get(name, name), KNOWN_MODELS[name]
        label = f"Download {title} ({known.download_mb} MB)"
        self._button = button(label, "download", self.fetch)
        self._button.layout.align_self = "flex-start"
        away = f"The real {title} is not on this machine. Press the button to fetch it once."
        self.status.value = status_html(away)
        told = f"The real {title} was not where this page ran. Run it, and a button fetches it."
        recorded = recording(text, known.kind)
        still = f"<p><em>{visible(told)}</em></p>{recorded.html}"
        super().__init__(Picture(still, f"{told}\n{recorded.text}".strip()))
        self.children = [self.status, self._button, self._progress, widgets.HTML(recorded.html)]
        self._open(download=False)

    def fetch(self, _=None):
        """Download the model and show its explorer; what went wrong is said in the status."""
        self._button.disabled = True
        with self._progress:
            self._open(download=True)
        self._button.disabled = False

    def _open(self, download):
        load, view = VIEWS[KNOWN_MODELS[self._name].kind]
        try:
            self.lm = load(self._name, download=download)
        except ModelNotAvailable as error:
            if download or cached_folder(self._name):
                self.status.value = status_html("", str(error))
            return
        self.explorer = view(self.lm, self._text)
        self.still, self.children = self.explorer.still, [self.explorer]
