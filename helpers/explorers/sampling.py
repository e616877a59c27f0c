"""Sliders on a causal language model: see the choice it has at every step, change it, let it write.

The model runs when a text changes, never when a slider moves: its logits are kept, pure functions
turn them into HTML, and a callback puts that HTML into the page.
"""

import asyncio
import math
import sys
import warnings

import ipywidgets as widgets
import torch

from helpers._plumbing.checks import check_run, check_sampling, check_whole_number, encode
from helpers._plumbing.words import brief
from helpers.charts import Picture, text_cards
from helpers.explorers._bars import axis_end, bar_lines, bars_html, headed, status_html
from helpers.explorers._controls import button, labelled, row, sized
from helpers.explorers._explorer import ModelExplorer, never_seen
from helpers.explorers._next_token import axis_at, bars_at, reach
from helpers.explorers._scripts import generation_script
from helpers.generation import add_token, decode_after, end_tokens, generate_text
from helpers.models import load_causal_lm

CAUSAL_MODELS = ("pocket-gpt2", "gpt2", "distilgpt2", "gpt2-medium")
STILL_TEMPERATURES = (0.3, 1.0, 2.0)
LAST_SEED = 2**31 - 4  # that a box can hold, with three more for *Four seeds*


def _three_temperatures(lm, place, *cuts):
    """The bars of a place at three temperatures on one axis, as pictures."""
    drawn = {t: bars_at(lm, place, t, *cuts, shown=8) for t in STILL_TEMPERATURES}
    end = axis_end(*(bars for bars, *_ in drawn.values()))
    pictures = []
    for temperature, (bars, sentence, _) in drawn.items():
        picture = Picture(bars_html(bars, end=end), "\n".join([sentence, *bar_lines(bars)]))
        pictures.append(headed(f"temperature {temperature:g}", picture))
    return pictures


def _checked_run(lm, prompt, seed, max_new_tokens):
    """Seed and number of tokens as the boxes hold them; unknown words are named by the status."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, settings = check_run(lm, prompt, max_new_tokens, 1, None, True, seed, None, None)
    seed = 0 if seed is None else check_whole_number(seed, "seed", 0, LAST_SEED)
    return seed, settings.max_new_tokens


def _knob(name, value, lowest, highest, step):
    """A number box, and the row of it and its slider; the limits make room for the value."""
    limits = {"min": min(lowest, value), "max": max(highest, value), "step": step}
    box = widgets.BoundedFloatText(value, description=name, **limits)
    return box, labelled(box, widgets.FloatSlider(**limits), lambda x: round(x, 2))


class SamplingExplorer(ModelExplorer):
    """A causal language model with its knobs: bars for the next token, a step or a whole text.

    The controls are attributes, so that a cell can move them: `prompt`, `model`, `temperature`,
    `top_k` (the size of the vocabulary cuts nothing), `top_p` (1 cuts nothing), `seed`, `tokens`,
    `show_code`. What changes are `bars`, `status`, `written` and `seeds`, each a `widgets.HTML`. In
    Jupyter the sliders stay alive while a text is written, and *Write* turns into *Stop*; Colab
    shows no change that comes after a click is answered, so there the writing is part of the
    answer.

    Raises:
        ValueError, TypeError: what `generate_text` would refuse. Later on, such sentences stand in
            `status`.

    Example:
        >>> explorer = SamplingExplorer(load_causal_lm("pocket-gpt2"), "Once upon a time")
        >>> explorer.temperature.value = 0.3
        >>> "temperature 0.30" in explorer.status.value
        True
    """

    def __init__(
        self,
        lm,
        prompt="Once upon a time, in a small village",
        temperature=0.8,
        top_k=50,
        seed=0,
        max_new_tokens=40,
        top_p=None,
    ):
        temperature, top_k, top_p = check_sampling(temperature, top_k, top_p, lm)
        seed, max_new_tokens = _checked_run(lm, prompt, seed, max_new_tokens)
        super().__init__(f"Sliders for temperature, top-k and top-p, on {lm.name} after {prompt!r}")
        self._writing, model = None, self._offer(lm, CAUSAL_MODELS)
        self.prompt = sized(widgets.Textarea(prompt, description="prompt", rows=2), "auto")
        self.prompt.continuous_update = False
        self.bars, self.written, self.seeds = (widgets.HTML() for _ in range(3))
        self.children = [
            self.prompt,
            row(*self._knobs(temperature, top_k, top_p)),
            self.status,
            self.bars,
            row(*self._buttons()),
            self.written,
            self.seeds,
            row(model, *self._boxes(seed, max_new_tokens), self.show_code),
            self._code,
        ]
        for box in (self.prompt, self.seed):
            box.observe(self._restart, names="value")
        self._draw_on(self.temperature, self.top_k, self.top_p, self.tokens)
        self._restart()
        place = self._place or reach(lm, prompt, self._start)  # again, to raise what went wrong
        self.still = self._pictured(_three_temperatures(lm, place, top_k, top_p))

    def _knobs(self, temperature, top_k, top_p):
        vocab = len(self.lm.vocabulary)
        self.temperature, warmth = _knob("temperature", temperature, 0.1, 2.0, 0.05)
        self.top_p, nucleus = _knob("top-p", top_p or 1.0, 0.01, 1.0, 0.01)
        self.top_k = widgets.BoundedIntText(top_k or vocab, min=1, max=vocab, description="top-k")
        self._cut_slider = widgets.FloatLogSlider(base=10, min=0, max=math.log10(vocab), step=0.02)
        return warmth, labelled(self.top_k, self._cut_slider, self._k_at), nucleus

    def _k_at(self, position):
        """The k for a position of the slider: the one in the box, if no position is nearer."""
        near = abs(math.log10(position / self.top_k.value)) <= self._cut_slider.step / 2
        return self.top_k.value if near else round(position)

    def _boxes(self, seed, max_new_tokens):
        self.seed = widgets.BoundedIntText(seed, min=0, max=LAST_SEED, description="seed")
        limits = {"min": 1, "max": self.lm.context, "description": "tokens"}
        self.tokens = widgets.BoundedIntText(max_new_tokens, **limits)
        return sized(self.seed), sized(self.tokens)

    def _buttons(self):
        self._write_button = button("Write", "pencil", self._write_or_stop)
        return (
            button("Step", "step-forward", self.step),
            self._write_button,
            button("Four seeds", "columns", self.several),
            button("Start over", "undo", self._restart),
        )

    def step(self, _=None):
        """Draw one token from the bars and move on. Returns whether the text can go on."""
        with self._errors_on_page():
            if self._place is None:
                return self._restart()
            place, self._place = self._place, self._place._replace(cache=None)  # half-written soon
            if self._ended or place.ids.shape[1] >= self.lm.context:
                full = f"{self.lm.name} reads {self.lm.context} tokens at most."
                why = "The model ended its text." if self._ended else full
                raise ValueError(f"{why} Start over, or change the seed or the prompt.")
            logits = place.logits[None].to(place.ids.device)  # where generate_text draws, too
            ids = add_token(place.ids, logits, *self._settings(), self._random)  # [1, n_tokens + 1]
            self._ended = ids[0, -1].item() in end_tokens(self.lm)
            if not self._ended:
                text = self.prompt.value + self._new_text(ids)
                self._place = reach(self.lm, text, ids, place.cache)
            self._arrive()
            return not self._ended
        return False

    def write(self):
        """Take as many steps as `tokens` says, each shown at once.

        Interrupting the kernel stops it in good order.
        """
        for _ in range(self.tokens.value):
            if not self.step():
                break

    def several(self, _=None):
        """Continue the prompt with four seeds, this one and the next three, side by side."""
        with self._errors_on_page(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the status names unknown words already
            prompt, texts, (temperature, top_k, top_p) = self.prompt.value, {}, self._settings()
            n = max(1, min(self.tokens.value, self.lm.context - encode(self.lm, prompt).shape[1]))
            for seed in range(self.seed.value, self.seed.value + 4):
                options = {"top_k": top_k, "top_p": top_p, "seed": seed}
                texts[f"seed {seed}"] = generate_text(self.lm, prompt, n, temperature, **options)
            self.seeds.value = f'<div aria-live="polite">{text_cards(prompt, texts).html}</div>'

    def code(self):
        """The plain transformers script that writes what *Write* writes from the prompt on."""
        start = self.prompt.value, self.seed.value, self.tokens.value
        return generation_script(self.lm, *start, *self._settings())

    def _settings(self):
        knobs = self.temperature, self.top_k, self.top_p
        return check_sampling(*(knob.value for knob in knobs), self.lm)

    def _restart(self, _=None):
        """Back to the prompt and to the seed's first draw."""
        self._stop()
        self._place, self.seeds.value = None, ""
        with self._errors_on_page(self.bars):
            self._start, self._ended = encode(self.lm, self.prompt.value), False
            self._random = torch.Generator(self._start.device).manual_seed(self.seed.value)
            self._place = reach(self.lm, self.prompt.value, self._start)
            self._arrive()

    def _arrive(self):
        """Show a new place: the text so far, then its bars."""
        prompt = self.prompt.value
        text = prompt + self._new_text(self._place.ids)
        self.written.value = text_cards(prompt, {"the text so far": text}).html
        ended = "The model ended its text here." if self._ended else ""
        self._remark = never_seen(self.lm, self.prompt.value) + ended
        self._draw()

    def _show(self):
        if self._place is None:
            return None
        bars, sentence, caption = bars_at(self.lm, self._place, *self._settings())
        self.bars.value = bars_html(bars, caption, axis_at(self._place, bars))
        new = self._place.ids[0, self._start.shape[1] :].tolist()
        step = f"token {len(new)} is {self.lm.vocabulary[new[-1]]!r}; then " if new else ""
        return step + sentence, self._remark

    def _new_text(self, ids):
        return decode_after(self.lm, self._start, ids[0, self._start.shape[1] :].tolist())

    def _load(self, name):
        self._stop()
        return load_causal_lm(name)

    def _take_over(self):
        everything, vocab = self.top_k.value == self.top_k.max, len(self.lm.vocabulary)
        self._place = None
        self.top_k.max, self._cut_slider.max = vocab, math.log10(vocab)
        self.tokens.max = self.lm.context
        self.top_k.value = vocab if everything else self.top_k.value
        self._restart()

    def _write_or_stop(self, _=None):
        if self._writing is not None:
            self._stop()
        elif "google.colab" in sys.modules:
            self.write()
        else:
            self._writing = asyncio.get_running_loop().create_task(self._write_slowly())
            self._writing.add_done_callback(self._after_writing)
            self._write_button.description, self._write_button.icon = "Stop", "stop"

    async def _write_slowly(self):
        for _ in range(self.tokens.value):
            if not self.step():
                break
            await asyncio.sleep(0.02)  # the kernel answers the sliders meanwhile

    def _after_writing(self, task):
        """The button says "Write" again, and the page what went wrong, if anything did."""
        if task is self._writing:
            self._writing = None
            self._stop()
        if not task.cancelled() and (error := task.exception()):
            self.status.value = status_html("", f"Writing stopped. {brief(error)}")

    def _stop(self):
        if self._writing is not None:
            self._writing.cancel()
        self._writing = None
        self._write_button.description, self._write_button.icon = "Write", "pencil"
