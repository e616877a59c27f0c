"""Sliders on a causal language model: see the choice it has at every step, change it, and let it
write.

The model runs when a text changes, never when a slider moves: its logits are kept, pure functions
turn them into HTML, and a callback puts that HTML into the page.
"""

import asyncio
import math
import sys
import warnings
from typing import NamedTuple

import ipywidgets as widgets
import torch

from helpers._plumbing.checks import check_sampling
from helpers.charts import Picture
from helpers.explorers._bars import Bar, bars_html, labelled, row, sized, status_html, texts_html
from helpers.explorers._explorer import Explorer, bar_lines, load_lines, never_seen
from helpers.generation import decode_after, distribution, encode, end_tokens, generate_text
from helpers.lab import pocketweb
from helpers.models import load_causal_lm

SHOWN = 12  # bars; two more rows sum up the rest of the vocabulary


class Place(NamedTuple):
    """Where a text stands, and all that the sliders need to know of its next token."""

    ids: torch.Tensor  # [1, n_tokens]
    cache: object  # what the model keeps of ids; None: it has to read them again
    logits: torch.Tensor  # [vocab]
    truth: (
        torch.Tensor | None
    )  # exact probabilities [vocab]: of a pocket model, inside its language


def _reach(lm, text, ids, cache=None):
    """Read a text with token ids [1, n_tokens], or with a cache only its last token: one forward
    pass.
    """
    with torch.no_grad():
        output = lm.model(
            ids if cache is None else ids[:, -1:], past_key_values=cache, use_cache=True
        )
    logits = output.logits[0, -1].float().cpu()  # [vocab]
    return Place(ids, output.past_key_values, logits, _truth(lm, text))


def _truth(lm, text):
    """The exact probabilities [vocab] of the next token, for a pocket model inside its language;
    else None.
    """
    exact = pocketweb.next_token(text) if lm._knows_whole_words_only else {}
    if not exact:
        return None
    ids = torch.tensor(
        lm.tokenizer(list(exact), add_special_tokens=False).input_ids
    )  # [n, 1]: each is one token
    truth = torch.zeros(len(lm.vocabulary), dtype=torch.float64)
    return truth.index_copy(0, ids[:, 0], torch.tensor(list(exact.values()), dtype=torch.float64))


def _look(lm, place, temperature, top_k):
    """The bars of a place at a setting, the sentence and the caption about them. Runs no model."""
    probabilities, kept, before = distribution(place.logits, temperature, top_k)  # [vocab] each
    shown = place.logits.topk(
        min(SHOWN, len(kept))
    ).indices  # [SHOWN]; no temperature changes their order
    drawn, truth = torch.where(kept, probabilities, before), place.truth
    exact = [None] * SHOWN if truth is None else truth[shown].tolist()
    bars = list(
        map(
            Bar,
            [lm.vocabulary[i] for i in shown],
            drawn[shown].tolist(),
            kept[shown].tolist(),
            exact,
        )
    )
    rest = torch.ones_like(kept).index_fill(0, shown, False)
    for word, part in (("kept", rest & kept), ("cut", rest & ~kept)):
        exact = None if truth is None else truth[part].sum().item()
        bars.append(
            Bar(
                f"+ {part.sum().item():,} {word}",
                drawn[part].sum().item(),
                word == "kept",
                exact,
                False,
            )
        )
    sentence = (
        f"temperature {temperature:.2f}, top-k {top_k or 'off'}: {kept.sum().item():,} of {len(kept):,} tokens kept, "
        f"{100 * before[kept].sum().item():.1f} % of the mass, {_unsure(probabilities)}"
    )
    caption = f"{lm.name}; · is a space, ⏎ a new line."
    caption += "" if truth is None else f" The exact truth, at temperature 1: {_unsure(truth)}."
    return bars, sentence, caption


def _unsure(probabilities):
    nats = torch.special.entr(probabilities).sum().item()
    return f"entropy {nats:.2f} nats: as unsure as choosing among {math.exp(nats):,.{+(nats < 2.3)}f} equal words"


def sampling_picture(lm, prompt, temperature=0.8, top_k=50):
    """The bars of `SamplingExplorer` as they stand still, for a page that is read without a kernel:
    a `Picture`.

    Errors are those of `generate_text`.

    Example:
        >>> "temperature 0.80" in sampling_picture(load_causal_lm("pocket-gpt2"), "Once upon a").text
        True
    """
    temperature, top_k = check_sampling(temperature, top_k, lm)
    bars, sentence, caption = _look(lm, _reach(lm, prompt, encode(lm, prompt)), temperature, top_k)
    lines = [f"the token after {prompt!r} by {lm.name}; {sentence}", *bar_lines(bars)]
    return Picture(status_html(sentence) + bars_html(bars, caption), "\n".join(lines))


class SamplingExplorer(Explorer):
    """A causal language model with its knobs: bars for the next token, a step at a time or a whole
    text.

    The controls are attributes, so that a cell can move them: `prompt`, `model`, `temperature`,
    `top_k` (the size of the vocabulary cuts nothing), `seed`, `tokens`, `show_code`. What changes
    are `bars`, `status`, `written` and `seeds`, each a `widgets.HTML`. In Jupyter the sliders stay
    alive while a text is written, and *Write* turns into *Stop*; Colab shows no change that comes
    after a click is answered, so there the writing is part of the answer.

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
    ):
        encode(lm, prompt)
        temperature, top_k = check_sampling(temperature, top_k, lm)
        super().__init__(f"Sliders on {lm.name}")
        model = self._offer(lm, ["pocket-gpt2", "gpt2", "distilgpt2", "gpt2-medium"])
        self._writing = None
        low, high, vocab = min(0.1, temperature), max(2.0, temperature), len(lm.vocabulary)
        self.prompt = sized(widgets.Textarea(prompt, description="prompt", rows=2), "auto")
        self.seed = sized(widgets.BoundedIntText(seed, min=0, max=2**31 - 4, description="seed"))
        self.tokens = sized(
            widgets.BoundedIntText(max_new_tokens, min=1, max=lm.context, description="tokens")
        )
        self.temperature = widgets.BoundedFloatText(temperature, min=low, max=high, step=0.05)
        self.temperature.description = "temperature"
        self.top_k = widgets.BoundedIntText(top_k or vocab, min=1, max=vocab, description="top-k")
        self._cut = widgets.FloatLogSlider(base=10, min=0, max=math.log10(vocab), step=0.02)
        warmth = labelled(
            self.temperature,
            widgets.FloatSlider(min=low, max=high, step=0.05),
            lambda x: round(x, 2),
        )
        self.bars, self.written, self.seeds = (widgets.HTML() for _ in range(3))
        self._write_button = self._button("Write", "pencil", self._write_or_stop)
        buttons = (
            self._button("Step", "step-forward", self.step),
            self._write_button,
            self._button("Four seeds", "columns", self.several),
            self._button("Start over", "undo", self._restart),
        )
        for control in (self.prompt, self.seed):
            control.observe(self._restart, names="value")
        self._draw_on(self.temperature, self.top_k, self.tokens)
        self.children = [
            self.prompt,
            row(model, self.seed, self.tokens),
            row(warmth, labelled(self.top_k, self._cut, round)),
            self.status,
            self.bars,
            row(*buttons, self.show_code),
            self.written,
            self.seeds,
            self._code,
        ]
        self._restart()

    def _button(self, label, icon, action):
        button = widgets.Button(description=label, icon=icon, layout={"width": "auto"})
        button.on_click(action)
        return button

    def step(self, _=None):
        """Draw one token from the bars and move on. Returns whether the text can go on from
        there.
        """
        with self._errors_on_page():
            if self._place is None:
                return self._restart()
            place = self._place
            if self._ended or place.ids.shape[1] >= self.lm.context:
                full = f"{self.lm.name} reads {self.lm.context} tokens at most."
                why = "The model ended its text." if self._ended else full
                raise ValueError(f"{why} Start over, or change the seed or the prompt.")
            probabilities, _, _ = distribution(place.logits, *self._settings())
            token = torch.multinomial(probabilities, 1, generator=self._random)[None]  # [1, 1]
            self._ended = token.item() in end_tokens(self.lm)
            if not self._ended:
                ids = torch.cat([place.ids, token.to(place.ids.device)], dim=1)  # [1, n_tokens + 1]
                self._place = place._replace(
                    cache=None
                )  # a pass that is interrupted leaves it half-written
                self._place = _reach(
                    self.lm, self.prompt.value + self._new_text(ids), ids, place.cache
                )
            self._arrive()
            return not self._ended
        return False

    def write(self):
        """Take as many steps as `tokens` says, each shown at once. Interrupting the kernel stops it
        in good order.
        """
        for _ in range(self.tokens.value):
            if not self.step():
                break

    def several(self, _=None):
        """Continue the prompt with four seeds, this one and the next three, side by side."""
        with self._errors_on_page(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the status names unknown words already
            prompt, settings, texts = self.prompt.value, self._settings(), {}
            n = max(1, min(self.tokens.value, self.lm.context - encode(self.lm, prompt).shape[1]))
            for seed in range(self.seed.value, self.seed.value + 4):
                texts[f"seed {seed}"] = generate_text(self.lm, prompt, n, *settings, seed=seed)[
                    len(prompt) :
                ]
            self.seeds.value = texts_html(prompt, texts)

    def code(self):
        """The plain transformers script that writes what *Write* writes from the prompt on."""
        temperature, top_k = self._settings()
        return load_lines(self.lm, _LOAD_BUNDLED, _LOAD_FROM_HUB) + _GENERATE.format(
            prompt=self.prompt.value,
            seed=self.seed.value,
            n=self.tokens.value,
            temperature=temperature,
            top_k=top_k or 0,
        )

    def _settings(self):
        return check_sampling(self.temperature.value, self.top_k.value, self.lm)

    def _restart(self, _=None):
        """Back to the prompt and to the seed's first draw."""
        self._stop()
        self._place, self.seeds.value = None, ""
        with self._errors_on_page(self.bars):
            self._start, self._ended = encode(self.lm, self.prompt.value), False
            self._random = torch.Generator().manual_seed(self.seed.value)
            self._place = _reach(self.lm, self.prompt.value, self._start)
            self._arrive()

    def _arrive(self):
        """Show a new place: the text so far, then its bars."""
        self.written.value = texts_html(self.prompt.value, {"": self._new_text(self._place.ids)})
        self._remark = (
            never_seen(self.lm, self.prompt.value) + self._ended * "The model ended its text here."
        )
        self._draw()

    def _show(self):
        if self._place is None:
            return None
        bars, sentence, caption = _look(self.lm, self._place, *self._settings())
        self.bars.value, new = (
            bars_html(bars, caption),
            self._place.ids[0, self._start.shape[1] :].tolist(),
        )
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
        self.top_k.max, self._cut.max, self.tokens.max = vocab, math.log10(vocab), self.lm.context
        self.top_k.value = vocab if everything else self.top_k.value
        self._restart()

    def _write_or_stop(self, _=None):
        if self._writing is not None:
            self._stop()
        elif "google.colab" in sys.modules:
            self.write()
        else:
            self._writing = asyncio.get_running_loop().create_task(self._write_slowly())
            self._write_button.description, self._write_button.icon = "Stop", "stop"

    async def _write_slowly(self):
        for _ in range(self.tokens.value):
            if not self.step():
                break
            await asyncio.sleep(0.02)  # the kernel answers the sliders meanwhile
        self._writing = None
        self._stop()

    def _stop(self):
        if self._writing is not None:
            self._writing.cancel()
        self._writing = None
        self._write_button.description, self._write_button.icon = "Write", "pencil"


_LOAD_BUNDLED = """\
import torch
from helpers.models import load_causal_lm

lm = load_causal_lm({name!r})
tokenizer, model = lm.tokenizer, lm.model
"""
_LOAD_FROM_HUB = """\
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained({name!r})
model = AutoModelForCausalLM.from_pretrained({name!r})
"""
_GENERATE = """
prompt = {prompt!r}
ids = tokenizer(prompt, return_tensors="pt").input_ids  # [1, n_tokens]
torch.manual_seed({seed})
output = model.generate(
    ids,
    attention_mask=torch.ones_like(ids),
    pad_token_id=tokenizer.eos_token_id,
    max_new_tokens={n},
    do_sample=True,
    temperature={temperature},
    top_k={top_k},  # 0 would cut nothing
)
print(tokenizer.decode(output[0], skip_special_tokens=True))
"""
