"""Faults by kind: each test tells the fault, what the user sees, and what is kept.

Models, texts, views and the laboratory. The hub's faults are in `test_hub_faults`, those of the
shell in `test_command_line`.
"""

import asyncio
import json
import math
import re
import shutil
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    BartConfig,
    BartForConditionalGeneration,
    BloomConfig,
    BloomForCausalLM,
    FNetConfig,
    FNetForMaskedLM,
    MambaConfig,
    MambaForCausalLM,
    MptConfig,
    MptForCausalLM,
    OpenAIGPTConfig,
    OpenAIGPTLMHeadModel,
    PreTrainedTokenizerFast,
    XLNetConfig,
    XLNetLMHeadModel,
)

from helpers._plumbing import checkpoints
from helpers._plumbing.checkpoints import is_short_memory
from helpers._plumbing.lessons import judge
from helpers._plumbing.passes import in_one_pass
from helpers.charts import line_chart
from helpers.explorers import (
    FillMaskExplorer,
    FrontierExplorer,
    HiddenWordExplorer,
    PageFiller,
    ReadingExplorer,
    RealModel,
    RulerExplorer,
    SamplingExplorer,
    SurpriseExplorer,
    bars_html,
    reading_picture,
)
from helpers.explorers._bars import Bar
from helpers.explorers.training_cost import training_cost
from helpers.fill_mask import fill_mask, fill_masks
from helpers.generation import generate_text, next_token_probabilities, stream_text
from helpers.lab import abilities, pocketweb
from helpers.lab.abilities import (
    answer,
    echoes,
    exact_match,
    few_shot,
    score,
    story_questions,
    sums,
)
from helpers.lab.architecture import save
from helpers.lab.echo import surgery, train_echo
from helpers.lab.estimates import mean_per_token
from helpers.lab.evaluation import gap_to_floor, unseen
from helpers.lab.filling import Page, fill_pages, with_blanks
from helpers.lab.fine_tuning import (
    Reader,
    examples,
    from_scratch,
    in_batches,
    linear,
    word_counts,
)
from helpers.lab.frontier import frontier
from helpers.lab.grammar import tokenize
from helpers.lab.masks import every_nth, log_probs_under
from helpers.lab.pretraining import pretrain
from helpers.lab.scaling import (
    ScalingLaw,
    compute_optimal,
    difference,
    fit_power_law,
    fit_scaling_law,
    predict_loss,
    training_flops,
)
from helpers.lab.tables import read
from helpers.models import LanguageModel, ModelNotAvailable, load_causal_lm, load_masked_lm
from helpers.quiz import Round, compare, equal_words, guess, predict
from tests.support.tiny_models import _bert, _gpt2, save_tiny, tiny

ENGLISH_ENDS = (".", "?", '"')


@pytest.fixture
def folder(tmp_path):
    """A tiny GPT-2 of the reader's own."""
    return save_tiny("gpt2", tmp_path / "model")


def rewrite(file, **changes):
    content = json.loads(file.read_text(encoding="utf-8")) | changes
    file.write_text(json.dumps(content), encoding="utf-8")


def refusal(call, *arguments, **options):
    """The sentence with which a call is refused, in English and on one line."""
    with pytest.raises((ValueError, TypeError, ModelNotAvailable)) as caught:
        call(*arguments, **options)
    sentence = str(caught.value)
    assert sentence.isprintable()
    assert sentence.endswith(ENGLISH_ENDS)
    return sentence


def kept(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


# ---- harmful remedies


@pytest.mark.parametrize(
    "harm",
    [
        lambda f: (f / "config.json").write_text("\ufeff" + (f / "config.json").read_text()),
        lambda f: (f / "config.json").write_text("{}"),
        lambda f: (f / "tokenizer.json").write_text("[]"),
        lambda f: (f / "tokenizer_config.json").write_bytes(b"\xff\xfe"),
        lambda f: (f / "model.safetensors").write_text(
            "version https://git-lfs.github.com/spec/v1"
        ),
        lambda f: (f / "model.safetensors").unlink(),
        lambda f: (f / "tokenizer.json").unlink(),
    ],
)
def test_nobody_is_told_to_delete_what_is_theirs(folder, harm):
    """A damaged file of one's own: the reader was told to delete the folder. Now the file is named
    and to be mended; everything in the folder is kept.
    """
    harm(folder)
    before = kept(folder)
    sentence = refusal(load_causal_lm, folder)
    assert str(folder) in sentence
    assert "elete" not in sentence.replace(str(folder), "")
    assert load_causal_lm(folder, fallback="pocket-gpt2").name == "pocket-gpt2"
    assert kept(folder) == before


@pytest.mark.parametrize("content", ["[1, 2]", "3", "not JSON", "\ufeff{}"])
def test_files_beside_a_model_are_the_readers_business(folder, content):
    """Any JSON list beside a model, such as a log, kept it from being opened. It opens."""
    (folder / "my_results.json").write_text(content)
    assert load_causal_lm(folder).context == 64


def test_an_older_copy_of_the_weights_beside_them_is_not_read(folder):
    """A half-written copy beside whole weights counted as damage. The model opens."""
    (folder / "model_backup.safetensors").write_bytes(b"12345678")
    assert load_causal_lm(folder).context == 64


# ---- the library's words, fallback skipped


def wider(folder):
    rewrite(folder / "config.json", n_embd=64)


def shallower(folder):
    rewrite(folder / "config.json", n_layer=1)


def deeper(folder):
    rewrite(folder / "config.json", n_layer=3)


def indivisible(folder):
    rewrite(folder / "config.json", n_head=3)


def smaller_vocabulary(folder):
    rewrite(folder / "config.json", vocab_size=7)


def in_four_bits(folder):
    rewrite(folder / "config.json", quantization_config={"quant_method": "bitsandbytes"})


def by_gptq(folder):
    rewrite(folder / "config.json", quantization_config={"quant_method": "gptq", "bits": 4})


def by_an_unknown_method(folder):
    rewrite(folder / "config.json", quantization_config={"quant_method": "tomorrow"})


def newer_tokenizer(folder):
    content = json.loads((folder / "tokenizer.json").read_text())
    rewrite(folder / "tokenizer.json", model=content["model"] | {"type": "Tomorrow"})


def newer_pre_tokenizer(folder):
    rewrite(folder / "tokenizer.json", pre_tokenizer={"type": "Tomorrow"})


def unknown_activation(folder):
    rewrite(folder / "config.json", activation_function="tomorrow")


def newer_type(folder):
    rewrite(folder / "config.json", model_type="gpt7")


def nan_weights(folder):
    file = folder / "model.safetensors"
    weights = {name: tensor.fill_(math.nan) for name, tensor in load_file(file).items()}
    save_file(weights, file, {"format": "pt"})


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (wider, "do not fit its config.json: .* has the shape"),
        (shallower, "do not fit its config.json: .* is one too many"),
        (deeper, "it lacks transformer.h.2"),
        (indivisible, "cannot be read by transformers .*divisible"),
        (smaller_vocabulary, "do not fit its config.json"),
        (in_four_bits, "is quantised"),
        (by_gptq, "is quantised"),
        (by_an_unknown_method, "is quantised"),
        (newer_tokenizer, "cannot be read by transformers"),
        (newer_pre_tokenizer, "cannot be read by transformers"),
        (unknown_activation, "cannot be read by transformers"),
        (newer_type, "of the type 'gpt7', which transformers .* does not know"),
        (nan_weights, "its weights are damaged"),
    ],
)
def test_what_a_library_refuses_becomes_a_sentence_and_the_fallback(folder, harm, reason, capsys):
    """A RuntimeError, an ImportError or a bare Exception of a library passed through, and no
    fallback was taken. Now a ModelNotAvailable with the reason; the folder is kept.
    """
    harm(folder)
    before = kept(folder)
    with pytest.raises(ModelNotAvailable, match=reason) as caught:
        load_causal_lm(folder)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 700
    assert load_causal_lm(folder, fallback="pocket-gpt2").name == "pocket-gpt2"
    assert capsys.readouterr().out.count("\n") == 1
    assert kept(folder) == before


def test_the_cause_is_chained(folder):
    """The library's own error was lost, or was all there was. Now it is the cause."""
    newer_tokenizer(folder)
    with pytest.raises(ModelNotAvailable) as caught:
        load_causal_lm(folder)
    assert caught.value.__cause__ is not None
    assert type(caught.value.__cause__) is not ModelNotAvailable


def test_ctrl_c_is_no_fault_of_the_model(folder, monkeypatch):
    """The broad translator must not take an interruption for a fault of the model."""

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_causal_lm(folder)


# ---- incomplete counts as whole


@pytest.mark.parametrize("missing", ["merges.txt", "vocab.json"])
def test_half_a_tokenizer_is_none(folder, missing):
    """vocab.json without merges.txt counted as a tokenizer. Now a sentence names what is needed."""
    bpe = json.loads((folder / "tokenizer.json").read_text())["model"]
    (folder / "vocab.json").write_text(json.dumps(bpe["vocab"]))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (folder / "tokenizer.json").unlink()
    (folder / missing).unlink()
    assert "merges.txt" in refusal(load_causal_lm, folder)


@pytest.mark.parametrize("beside", ["model-00002-of-00003", "model_backup", "model.old"])
def test_a_shard_too_few_is_no_model(folder, beside):
    """Files were counted: one of two shards and a file beside it were two of two, so whole."""
    weights = folder / "model.safetensors"
    parts = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    shutil.copy(weights, folder / parts[0])
    weights.rename(folder / f"{beside}.safetensors")
    index = {"weight_map": {f"w{n}": part for n, part in enumerate(parts)}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "no complete safetensors weights" in refusal(load_causal_lm, folder)
    (folder / "model.safetensors.index.json").unlink()
    assert "no complete safetensors weights" in refusal(load_causal_lm, folder)


# ---- attributes assumed, kinds


CAUSAL_FAMILIES = {
    "bloom": lambda n: BloomForCausalLM(
        BloomConfig(vocab_size=n, hidden_size=32, n_layer=2, n_head=2)
    ),
    "mpt": lambda n: MptForCausalLM(
        MptConfig(vocab_size=n, d_model=32, n_layers=2, n_heads=2, max_seq_len=64)
    ),
    "mamba": lambda n: MambaForCausalLM(
        MambaConfig(vocab_size=n, hidden_size=32, num_hidden_layers=2)
    ),
    "gpt-1": lambda n: OpenAIGPTLMHeadModel(
        OpenAIGPTConfig(vocab_size=n, n_embd=32, n_layer=2, n_head=2)
    ),
}


@pytest.mark.parametrize("family", CAUSAL_FAMILIES)
def test_a_model_that_counts_no_positions_works(family, tmp_path):
    """BLOOM, MPT and Mamba loaded, and failed with an AttributeError in `repr`; GPT-1 and Mamba
    keep no cache that the loop could take. They work, and write what transformers writes.
    """
    _, tokenizer = _gpt2()
    torch.manual_seed(0)
    model = CAUSAL_FAMILIES[family](len(tokenizer)).eval()
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    lm = load_causal_lm(tmp_path)
    assert lm.context > 0
    assert "parameters" in repr(lm)
    ids = tokenizer("the cat", return_tensors="pt").input_ids
    theirs = model.generate(ids, max_new_tokens=5, do_sample=False, eos_token_id=None)
    lm.model.generation_config.eos_token_id = None
    ours = generate_text(lm, "the cat", 5, do_sample=False)
    assert ours == tokenizer.decode(theirs[0], skip_special_tokens=True)
    assert "".join(stream_text(lm, "the cat", 5, seed=0)) == generate_text(
        lm, "the cat", 5, seed=0
    ).removeprefix("the cat")
    explorer = SamplingExplorer(lm, "the cat", max_new_tokens=3)
    explorer.write()
    assert "token 3 is" in explorer.status.value


def test_a_model_that_reads_both_sides_cannot_continue_a_text(tmp_path):
    """XLNet loaded and "reads at most -1 tokens". It is refused, and the fallback taken."""
    _, tokenizer = _gpt2()
    config = XLNetConfig(vocab_size=len(tokenizer), d_model=32, n_layer=2, n_head=2, d_inner=64)
    XLNetLMHeadModel(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert "reads what comes after a word" in refusal(load_causal_lm, tmp_path)
    assert load_causal_lm(tmp_path, fallback="pocket-gpt2").name == "pocket-gpt2"


def test_a_model_that_does_both_is_of_the_kind_it_was_loaded_as(tmp_path):
    """BART was loaded as a masked model and then called a causal one. One rule decides."""
    from tests.support.tiny_models import _roberta

    _, tokenizer = _roberta()
    size = {"d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 32}
    size |= {"decoder_ffn_dim": 32, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    config = BartConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **size)
    BartForConditionalGeneration(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    lm = load_masked_lm(tmp_path)
    assert lm.kind == "masked"
    assert len(fill_mask(lm, "the [MASK] sat")) == 5


def test_a_broken_model_is_not_kept_by_a_view(folder):
    """A view went over to a model that failed later, and kept it. It stays with the old one."""
    nan_weights(folder)
    explorer = SamplingExplorer(load_causal_lm("pocket-gpt2"), "The")
    explorer.model.options = [*explorer.model.options, str(folder)]
    explorer.model.value = str(folder)
    assert "its weights are damaged" in explorer.status.value
    assert explorer.model.value == "pocket-gpt2"
    explorer.temperature.value = 0.3
    assert "temperature 0.30" in explorer.status.value


@pytest.mark.parametrize("parts", [(None, None, "x"), ("gpt2", "gpt2", "x"), (3, [], "x")])
def test_what_is_no_model_makes_no_language_model(parts):
    """An AttributeError of Python. Now a sentence."""
    assert "a model and a tokenizer" in refusal(LanguageModel, *parts)


# ---- ids beyond the model, weights that are no numbers


@pytest.mark.parametrize("call", [generate_text, next_token_probabilities, SamplingExplorer])
@pytest.mark.parametrize("token", ["[PAD]", "<new>"])
def test_a_token_that_only_the_tokenizer_knows(call, token):
    """A tokenizer with an added token: IndexError, after the pass had begun. Now a sentence."""
    model, tokenizer = _gpt2()
    tokenizer.add_tokens([token])
    lm = LanguageModel(model, tokenizer, "mine")
    assert len(lm.vocabulary) == model.config.vocab_size
    sentence = refusal(call, lm, f"Hello {token}")
    assert token in sentence
    assert "only the tokenizer of 'mine' knows" in sentence


def test_an_added_token_in_a_masked_model():
    """The same for blanks, their targets, and the views."""
    model, tokenizer = _bert()
    tokenizer.add_tokens(["<new>"])
    lm = LanguageModel(model, tokenizer, "mine")
    assert "only the tokenizer" in refusal(fill_mask, lm, "the [MASK] <new>")
    assert "only the tokenizer" in refusal(fill_mask, lm, "the [MASK]", targets=["<new>"])
    explorer = FillMaskExplorer(lm, "the [MASK] sat")
    explorer.text.value = "the [MASK] <new>"
    assert "only the tokenizer" in explorer.status.value
    explorer.text.value = "the [MASK] sat on"
    assert "likeliest" in explorer.status.value


@pytest.fixture(params=[math.nan, math.inf])
def broken(request):
    """A causal and a masked model whose weights are no numbers."""
    pair = []
    for build in (_gpt2, _bert):
        model, tokenizer = build()
        for parameter in model.parameters():
            parameter.data.fill_(request.param)
        pair.append(LanguageModel(model, tokenizer, "broken"))
    return pair


def test_weights_that_are_no_numbers(broken):
    """A RuntimeError of multinomial, or nan shown as a probability. Now one sentence."""
    causal, masked = broken
    text = "the [MASK] sat on the mat"
    for call in (
        lambda: generate_text(causal, "the cat"),
        lambda: generate_text(causal, "the cat", do_sample=False),
        lambda: list(stream_text(causal, "the cat")),
        lambda: next_token_probabilities(causal, "the cat"),
        lambda: fill_mask(masked, text),
        lambda: SamplingExplorer(causal, "the cat"),
        lambda: reading_picture(causal, masked, text),
        lambda: reading_picture(tiny("gpt2"), masked, text),
        lambda: answer(causal, echoes(2, 1)),
        lambda: FillMaskExplorer(masked, text),
        lambda: ReadingExplorer(causal, masked, text),
    ):
        assert "what is no number: its weights are damaged" in refusal(call)


# ---- errors in a view


def test_an_error_while_writing_is_said_on_the_page():
    """*Write* clicked and a step fails: the status was silent and the button said "Stop" for ever.
    Now the page says what happened, and the button is "Write" again; the text so far is kept.
    """
    lm = load_causal_lm("pocket-gpt2")
    explorer = SamplingExplorer(lm, "Once upon a time, in a small village", max_new_tokens=9)

    async def write(error):
        def fails(*_, **__):
            raise error

        explorer._write_button.click()
        await asyncio.sleep(0.05)
        handle = lm.model.register_forward_pre_hook(fails)
        while explorer._writing is not None:
            await asyncio.sleep(0.01)
        handle.remove()

    for error in (IndexError("nobody foresaw this"), RuntimeError("the device went away")):
        asyncio.run(write(error))
        assert str(error) in explorer.status.value
        assert explorer._write_button.description == "Write"
        explorer.prompt.value = "Once upon a time"
        assert explorer.step()
        explorer.prompt.value = "Once upon a time, in a small village"


@pytest.mark.parametrize(
    "options",
    [
        {"seed": -1},
        {"seed": 2**31},
        {"seed": 10**30},
        {"seed": 0.5},
        {"max_new_tokens": 1000},
        {"max_new_tokens": 0},
        {"max_new_tokens": "9"},
        {"temperature": 0},
        {"top_k": -1},
        {"prompt": ""},
    ],
)
def test_a_view_refuses_what_its_docstring_says(options, passes_of):
    """A seed of -1 became 0, and 1000 tokens became 256. Now the ValueError of the docstring."""
    lm = tiny("pocket-gpt2")
    passes = passes_of(lm)
    refusal(SamplingExplorer, lm, **options)
    assert not passes


@pytest.mark.parametrize("n_words", [1, 5, 20])
def test_a_text_box_waits_and_asks_in_one_batch(n_words, passes_of):
    """FillMaskExplorer asked the model 23 times for each key. Now once, when typing has ended."""
    causal, masked = tiny("pocket-gpt2"), tiny("pocket-bert")
    explorer = FillMaskExplorer(masked, "The [MASK] sat.")
    reading = ReadingExplorer(causal, masked, "The [MASK] sat on it.")
    sampling = SamplingExplorer(causal, "The")
    boxes = (explorer.text, explorer.targets, reading.text, sampling.prompt)
    assert not any(box.continuous_update for box in boxes)
    passes = passes_of(masked)
    explorer.text.value = "The [MASK] sat" + " on it" * n_words
    assert len(passes) == 1
    reading.text.value = "The [MASK] sat" + " on it" * n_words
    assert len(passes) == 2
    for n in range(explorer.right_words.max):
        explorer.right_words.value = n
    assert len(passes) == 2


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "albert", "pocket-bert"])
def test_one_batch_gives_what_one_text_gives(family):
    lm = tiny(family)
    texts = ["the [MASK]", "the [MASK] sat on the mat", "once upon a [MASK] in the [MASK]"]
    for text, together in zip(texts, fill_masks(lm, texts, 4), strict=True):
        alone = fill_mask(lm, text, 4)
        lists = (alone, together) if "in the" in text else ([alone], [together])
        pairs = (pair for both in zip(*lists, strict=True) for pair in zip(*both, strict=True))
        for one, other in pairs:
            assert one.token_id == other.token_id
            assert one.text == other.text
            assert one.probability == pytest.approx(other.probability, abs=1e-5)


def test_a_model_without_attention_masks_is_asked_one_by_one():
    """FNet mixes the padding into its answers: a batch would change them."""
    _, tokenizer = _bert()
    config = FNetConfig(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2)
    lm = LanguageModel(FNetForMaskedLM(config), tokenizer, "fnet")
    texts = ["the [MASK]", "the [MASK] sat on the mat"]
    for text, together in zip(texts, fill_masks(lm, texts, 4), strict=True):
        assert [c.probability for c in fill_mask(lm, text, 4)] == [c.probability for c in together]


@pytest.mark.parametrize("hidden", ["\u202e", "\0", "\x1b", "\u2066", "\ufeff"])
def test_what_cannot_be_seen_reaches_no_attribute(hidden):
    """U+202E and NUL stood in a `title=`. Now a sign stands there."""
    page = bars_html([Bar(f"a{hidden}b", 0.5), Bar(f"c{hidden}", 0.5, is_token=False)])
    assert hidden not in page
    assert f"⟨U+{ord(hidden):04X}⟩" in page


@pytest.mark.parametrize("value", ["70", None, math.nan, [1]])
def test_inputs_of_a_cost_are_numbers(value):
    """A TypeError of Python, or a NaN that raised out of a callback."""
    assert "billion_params" in refusal(training_cost, billion_params=value)


# ---- the laboratory on other models


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "albert", "pocket-bert"])
def test_a_reader_reads_the_blank_of_a_masked_model(family):
    """Reader read [SEP] where the blank was meant. The state is the one at the mask token, alone
    and in a batch.
    """
    lm = tiny(family)
    texts = ["the cat sat", "the dog"]
    reader = Reader(lm)
    with torch.no_grad():
        states = reader.states(texts)
        for text, state in zip(texts, states, strict=True):
            inputs = lm.tokenizer(f"{text} {lm.tokenizer.mask_token}", return_tensors="pt")
            hidden = lm.model.base_model(**inputs).last_hidden_state[0]
            blank = inputs.input_ids[0] == lm.tokenizer.mask_token_id
            assert torch.allclose(hidden[blank][0], state, atol=1e-5)


@pytest.mark.parametrize("family", ["gpt2", "llama", "pocket-gpt2"])
def test_a_reader_needs_no_padding_token(family):
    """Reader on GPT-2 asked to pad. The state is that of the last token."""
    lm = tiny(family)
    with torch.no_grad():
        states = Reader(lm).states(["the cat sat", "the"])
        ids = lm.tokenizer("the", return_tensors="pt").input_ids
        hidden = lm.model.base_model(ids).last_hidden_state[0, -1]
    assert torch.allclose(hidden, states[1], atol=1e-5)


def test_a_reader_refuses_a_text_that_is_too_long():
    """An IndexError from inside the model. Now a sentence."""
    assert "reads at most 64" in refusal(Reader(tiny("gpt2")), ["the cat " * 60])


def test_a_word_that_pocketweb_does_not_have_is_not_counted():
    """A KeyError. Now a sentence that names the word."""
    assert "'xylophone' is no word of PocketWeb" in refusal(word_counts, ["The xylophone."])


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_a_masked_model_fills_the_answer_before_the_end(family):
    """`answer` put the blanks behind [SEP]. They stand before it, and the right tokens are those
    that stand in the whole text.
    """
    lm = tiny(family)
    item = abilities.Item("the cat sat on", " the mat", 0.5)
    [given] = answer(lm, [item])
    whole = lm.tokenizer(item.prompt + item.answer).input_ids
    end = len(whole) - 1
    assert given.right == whole[end - len(given.right) : end]
    asked = torch.tensor([whole])
    asked[0, end - len(given.right) : end] = lm.tokenizer.mask_token_id
    with torch.no_grad():
        chances = lm.model(asked).logits[0, end - len(given.right)].softmax(-1)
    assert given.probabilities[0] == pytest.approx(chances[given.right[0]].item(), abs=1e-5)


def test_an_answer_that_a_model_cannot_write_is_refused():
    """[UNK] was measured as if it were the answer; a prompt too long was an IndexError."""
    item = abilities.Item("the cat", " 猫", 0.5)
    assert "no tokens of their own" in refusal(answer, tiny("bert"), [item])
    item = abilities.Item("the cat " * 60, " sat", 0.5)
    assert "reads at most" in refusal(answer, tiny("gpt2"), [item])


@pytest.mark.parametrize("family", ["gpt2", "llama", "bert"])
def test_an_exam_for_pocketwebs_tokens_refuses_other_models(family):
    """Positions of PocketWeb tokens were taken for those of other tokenizers: wrong numbers, or a
    TypeError for a missing padding token.
    """
    lm = tiny(family)
    assert "PocketWeb's own tokens" in refusal(gap_to_floor, lm, unseen(lm.kind, 3))
    other = "masked" if lm.kind == "causal" else "causal"
    assert "exam needs" in refusal(gap_to_floor, tiny("pocket-gpt2"), unseen("masked", 3)), other


def test_a_whole_word_tokenizer_of_someone_else_is_no_pocket_model():
    """It got the truth of PocketWeb beside its bars, and unknown words were called never seen."""
    vocab = {piece: n for n, piece in enumerate(["<unk>", *"abcdefgh", "the", "cat"])}
    backend = Tokenizer(models.BPE(vocab=vocab, merges=[], ignore_merges=True, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>")
    lm = LanguageModel(tiny("gpt2").model, tokenizer, "words")
    assert not lm.knows_whole_words_only
    assert not lm.unknown_words("the xylophone")
    assert not tiny("llama").knows_whole_words_only
    assert tiny("pocket-gpt2").knows_whole_words_only
    assert load_masked_lm("pocket-bert").knows_whole_words_only


def test_work_goes_where_the_model_is():
    """Inputs and new layers stayed on the CPU. On "meta" every tensor must be where the model is:
    one on the CPU among them is an error.
    """
    lm = tiny("gpt2")
    fresh = from_scratch(lm)
    assert fresh.model.device == lm.model.device
    reader = Reader(LanguageModel(_gpt2()[0].to("meta"), lm.tokenizer, "meta"))
    assert {p.device.type for p in reader.parameters()} == {"meta"}
    rows = in_one_pass(reader.lm, [[1, 2], [3]], lambda ids, mask: (ids * mask)[..., None])
    assert [row.device.type for row in rows] == ["meta", "meta"]


# ---- arguments


X, LOSS = [1, 4, 16, 64], [3.0, 2.0, 1.5, 1.25]


@pytest.mark.parametrize("floor", [-1, 1.25, 2.0, 100, math.nan, math.inf, "1", [1], True, None])
def test_a_floor_is_a_number_below_the_losses(floor):
    """A nonsense law and 288 warnings, or a TypeError of NumPy. Now a sentence, and no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if floor is None:
            assert fit_power_law(X, LOSS).alpha == pytest.approx(0.5, abs=1e-3)
        else:
            assert "floor must be" in refusal(fit_power_law, X, LOSS, floor=floor)


@pytest.mark.parametrize(
    "options",
    [
        {"x": ["a", "b", "c", "d"]},
        {"x": [[1, 2], [3]]},
        {"x": None},
        {"x": {"a": 1}},
        {"x": [1j, 2, 3, 4]},
        {"x": [1, 4, 16]},
        {"x": [1, 4, 16, math.nan]},
        {"loss": [3, 2, 1, 0]},
        {"loss": "3, 2, 1"},
        {"n_bootstrap": -1},
        {"n_bootstrap": 2.5},
        {"n_bootstrap": "9"},
        {"seed": -1},
        {"seed": "a"},
    ],
)
def test_points_and_options_of_a_fit(options):
    """Errors of NumPy, or nothing at all. Now a sentence before the fit."""
    refusal(fit_power_law, **{"x": X, "loss": LOSS} | options)
    if "x" in options:
        refusal(fit_scaling_law, X, options["x"], LOSS)


@pytest.mark.parametrize("points", [{"floor": 0}, {"floor": -1.0}, {"floor": "a"}])
def test_a_level_that_a_logarithmic_axis_has_no_place_for(points):
    """`floor=0` with `log_y` never returned, and took gigabytes."""
    refusal(line_chart, {"loss": ([1, 2], [1, 2])}, "steps", "nats", log_y=True, **points)


def test_pages_that_would_never_be_filled():
    """`per_round=0` went round for ever; -1 blanks hid all tokens but one."""
    bert, text = load_masked_lm("pocket-bert", device="cpu"), "The cat sat on the mat."
    ids = with_blanks(bert, text, 4)
    for per_round in (0, -1, 1.5):
        assert "per_round must be" in refusal(fill_pages, bert, [Page(ids, "random", per_round)])
    for n_blanks in (-1, 8, 2.5):
        assert "n_blanks must be" in refusal(with_blanks, bert, text, n_blanks)
    assert "pocket-gpt2" in refusal(with_blanks, tiny("pocket-gpt2"), text, 2)


@pytest.mark.parametrize("text", ["The chatbot sat.", " very" * 41, "", "[MASK]" * 300])
def test_a_text_that_is_too_much_for_the_page_filler(text):
    """Minutes and gigabytes for a story; blanks that no setting had hidden for a new word."""
    refusal(PageFiller, load_masked_lm("pocket-bert", device="cpu"), text)


@pytest.mark.parametrize("gone", [None, math.nan])
def test_runs_without_a_name(gone):
    """NaN is equal to nothing: a run without points, which the bootstrap drew for ever."""
    n, d = np.meshgrid([1.0, 2.0, 4.0], [1.0, 2.0, 4.0])
    points = n.ravel(), d.ravel(), (1 + 1 / n + 1 / d).ravel()
    runs = [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0, gone]
    assert "every point" in refusal(fit_scaling_law, *points, n_bootstrap=1, runs=runs)


def test_questions_to_a_scaling_law():
    """Errors of zip and NumPy; a loss of 2,087 nats where the tokens were forgotten; integers of
    64 bits that ran over.
    """
    law = ScalingLaw(1, 2, 0.3, 1, 0.2)
    assert "same n_bootstrap" in refusal(
        difference, law, replace(law, resampled=(law, law)), "alpha"
    )
    assert "level must be" in refusal(replace(law, resampled=(law, law)).interval, "alpha", 95)
    assert "give n_tokens" in refusal(predict_loss, law, 1e9)
    for flops in (0, -1, "1e20", None, math.inf, math.nan, np.ones(2)):
        assert "flops must be" in refusal(compute_optimal, law, flops)
    whole = training_flops(np.int64(175_000_000_000), np.int64(300_000_000_000))
    assert whole == pytest.approx(3.15e23)


def test_a_score_of_many_words_stays_a_number():
    """The product of 1,200 numbers ran over: infinite, as if a word had been impossible."""
    assert equal_words([0.5] * 1200) == pytest.approx(2)
    assert equal_words([1e-200] * 3) == pytest.approx(1e200)
    with pytest.raises(ValueError, match="non-empty"):
        equal_words([])


def test_a_mask_that_does_not_exist():
    """Any other word was taken for "no mask"."""
    gpt, documents = load_causal_lm("pocket-gpt2", device="cpu"), pocketweb.language().sample(2, 0)
    for mask in ("Causal mask", None, "causal"):
        assert "mask must be" in refusal(log_probs_under, gpt, mask, documents[0], [0])
    for n in (0, 10_000, "2"):
        assert "n must be" in refusal(every_nth, documents, n)


def test_one_text_is_no_list_of_texts():
    """Its letters were classified one by one."""
    assert "a list of texts" in refusal(Reader(tiny("pocket-gpt2")), "The cat")
    for n in (-1, 0, math.nan, "2"):
        assert "n must be" in refusal(examples, "role", n, 0)


@pytest.mark.parametrize("text", [None, 5, ["The cat"], b"The cat"])
def test_a_question_about_what_is_no_text(text):
    """An error of `re`."""
    for ask in (pocketweb.log_prob, pocketweb.next_token, pocketweb.is_possible, tokenize):
        assert "must be a string" in refusal(ask, text)


def test_numbers_of_texts():
    for n in (-1, 1.5, "2", math.nan):
        assert "n must be" in refusal(pocketweb.sample, n, 0)
    for seed in (-1, None, "a"):
        assert "seed must be" in refusal(pocketweb.sample, 1, seed)
    assert pocketweb.sample(np.int64(2), np.int64(0)) == pocketweb.sample(2, 0)
    for n in (0, -1, 1.5, "2"):
        assert "n_documents must be" in refusal(pocketweb.entropy_floor, "causal", n)


@pytest.mark.parametrize("number", [np.int64, np.uint8, torch.tensor])
def test_whole_numbers_of_other_libraries(number):
    """They passed the check, and then broke Python's `random`, or made the chance 0."""
    assert sums(number(2), 1, number(0)) == sums(2, 1, 0)
    assert echoes(number(2), number(1), number(0)) == echoes(2, 1, 0)
    assert few_shot(number(2), 1, number(1)) == few_shot(2, 1, 1)
    assert train_echo(number(1), steps=number(0), seed=number(3))[1] == []


def test_a_text_that_has_ended_has_no_continuation():
    """Pop from an empty heap."""
    ended = "The cat sat on the mat." + pocketweb.END
    assert "cannot go on" in refusal(pocketweb.likeliest, ended)


def test_a_text_with_a_blank_has_no_word_to_hide():
    """An AttributeError: two blanks."""
    bert = load_masked_lm("pocket-bert", device="cpu")
    assert "no [MASK] yet" in refusal(HiddenWordExplorer, bert, "The [MASK] sat on the mat.")


def test_nothing_to_fill():
    """An UnboundLocalError."""
    assert fill_masks(tiny("pocket-bert"), []) == []


@pytest.mark.parametrize("options", [{"n_layer": 0}, {"n_layer": "2"}, {"steps": -1}])
def test_echo_models_that_cannot_be_trained(options):
    refusal(train_echo, **{"n_layer": 2} | options)
    refusal(train_echo, 1, learning_rate=math.nan)


def test_surgery_is_for_two_layers():
    """An IndexError, or an AttributeError for a LanguageModel."""
    for model in (train_echo(1, steps=0)[0], tiny("gpt2"), None):
        assert "train_echo(n_layer=2)" in refusal(surgery, model)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("a: {a}", "does not end"),
        ("a: hi {a}", "does not end"),
        ("a: {=X+Z}", "cannot be read"),
        ("a: {=X+}", "cannot be read"),
        ("a: {=9**9**9}", "cannot be read"),
        ("a: 1.2.3x hi | bye", "weight that is no number"),
    ],
)
def test_a_grammar_that_cannot_write(tmp_path, rules, said):
    """It drew for ever, or raised what Python raises for an expression."""
    (tmp_path / "my.grammar").write_text(f"document: {{a}}\n{rules}\n", encoding="utf-8")
    assert said in refusal(pocketweb.sample, 1, 0, tmp_path / "my.grammar")


def test_a_text_of_a_grammar_that_is_too_long_to_learn(tmp_path):
    """An IndexError in the middle of the training."""
    text = " ".join(["word"] * 300)
    (tmp_path / "my.grammar").write_text(f"document: {{a}}\na: {text}\n", encoding="utf-8")
    small = {"n_layer": 1, "d_model": 8, "n_head": 2, "tokens_per_step": 64, "steps": 1}
    assert "300 tokens" in refusal(pretrain, grammar=tmp_path / "my.grammar", **small)


def test_an_exam_with_words_that_the_model_has_no_tokens_for(tmp_path):
    """Positions of its own tokens were scored: 19 nats for nothing."""
    (tmp_path / "my.grammar").write_text("document: {a}\na: The zebrafish swims.\n", "utf-8")
    exam = unseen("causal", 2, genres=tmp_path / "my.grammar")
    assert "no tokens of their own" in refusal(
        gap_to_floor, load_causal_lm("pocket-gpt2", device="cpu"), exam
    )


def test_a_model_is_not_saved_into_a_file(tmp_path):
    """transformers logged a line, and the model was gone."""
    (tmp_path / "notes.txt").write_text("mine")
    assert "is not a folder" in refusal(save, tiny("pocket-gpt2"), tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_what_cannot_be_kept_or_go_on(tmp_path):
    """A step beyond the last was kept in silence; a grammar that was edited went on as it was."""
    small = {"n_layer": 1, "d_model": 8, "n_head": 2, "tokens_per_step": 64}
    assert "keep_at must be" in refusal(
        pretrain, steps=1, keep_at=[5], folder=tmp_path / "kept", **small
    )
    grammar, folder = tmp_path / "my.grammar", tmp_path / "run"
    grammar.write_text("document: {a}\na: The cat sat.\n", encoding="utf-8")
    pretrain(genres=str(grammar), steps=1, folder=folder, **small)
    grammar.write_text("document: {a}\na: The dog sat.\n", encoding="utf-8")
    assert "grammar" in refusal(pretrain, genres=str(grammar), steps=2, folder=folder, **small)


def test_settings_that_draw_nothing_unsure_have_a_place():
    """An entropy of 0 was placed 46,000 % left of the plane, or drew for ever."""
    stored = read("frontier")
    for live, grid in (
        (stored[:3].assign(entropy=0.0), stored),
        (stored[:3], stored.assign(entropy=0.0)),
    ):
        places = re.findall(r"left:(-?[\d.]+)%", FrontierExplorer(live, grid).view.value)
        assert all(0 <= float(place) <= 100 for place in places)


@pytest.mark.parametrize(
    ("draw", "arguments"),
    [
        (few_shot, (8, 1)),
        (few_shot, (-1, 1)),
        (few_shot, (1.5, 1)),
        (few_shot, (2, -1)),
        (few_shot, (2, 1, -1)),
        (few_shot, ("2", 1)),
        (sums, (0, 1)),
        (sums, (2, 0)),
        (sums, (40, 1)),
        (sums, (2.0, 1)),
        (echoes, (0, 1)),
        (echoes, (3, 1.5)),
        (echoes, (None, 1)),
        (story_questions, (-1,)),
        (story_questions, (True,)),
        (story_questions, (1, "x")),
    ],
)
def test_items_that_cannot_be_drawn(draw, arguments):
    """`few_shot(8, 1)` never returned; others gave nothing, or errors of Python."""
    refusal(draw, *arguments)


@pytest.mark.parametrize(
    "draw", [lambda: few_shot(7, 2), lambda: few_shot(0, 2), lambda: sums(1, 3)]
)
def test_the_limits_can_be_drawn(draw):
    assert draw()


@pytest.mark.parametrize(
    "options",
    [
        {"objective": "prefix"},
        {"objective": None},
        {"n_documents": 0},
        {"n_documents": 2.5},
        {"share": 0},
        {"share": 1.5},
        {"share": math.nan},
        {"genres": ["no such"]},
        {"seed": -1},
    ],
)
def test_exams_that_cannot_be_set(options):
    """`unseen("prefix")` was taken for "masked"; a list of genres was unhashable."""
    refusal(unseen, **{"objective": "causal", "n_documents": 2} | options)
    assert unseen("causal", 2, genres=["haiku"]) is unseen("causal", 2, genres=["haiku"])


def test_one_document_says_nothing_of_its_error():
    """0.0 for one document, where `score` gave nan with a warning. Both are nan, in silence."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert math.isnan(mean_per_token([2.0], [1]).standard_error)
        assert math.isnan(score([abilities.Answer([1], [1], [], [])], exact_match).standard_error)
    assert "no answers" in refusal(score, [], exact_match)


def test_a_right_token_of_probability_zero_is_measured():
    """A ValueError, "math domain error", where a model had called the answer impossible."""
    assert abilities.token_probability(abilities.Answer([1, 2], [1, 1], [0.5, 0.0], [])) == 0


def test_a_space_before_a_new_line_is_not_the_blanks():
    """`$` matches before a new line: the space was dropped, and an impossible text filled."""
    line = "grey gulls on the pier"
    possible, impossible = (pocketweb.blank(f"{line}{space}\n[MASK]") for space in ("", " "))
    assert possible
    assert impossible == {}


def test_a_grammar_of_which_nothing_may_be_read(tmp_path):
    """Pre-training looked for ever for a text that it need not leave out."""
    out = [f"{a}+{b}={a + b}" for a in range(10) for b in range(10)]
    out = [one for one in out if pocketweb.is_held_out(one)]
    (tmp_path / "my.grammar").write_text(f"document: {{a}}\na: {' | '.join(out)}\n", "utf-8")
    small = {"steps": 1, "n_layer": 1, "d_model": 8, "n_head": 1}
    assert "leaves some sums" in refusal(pretrain, grammar=tmp_path / "my.grammar", **small)


@pytest.mark.parametrize("examples", [[], ()])
def test_nothing_to_learn_from(examples):
    """ "stack expects a non-empty TensorList" and "expected a non-empty list of Tensors"."""
    lm = load_causal_lm("pocket-gpt2", device="cpu")
    assert "at least one" in refusal(Reader(lm), examples)
    assert "at least one" in refusal(in_batches, Reader(lm), examples)
    assert "number of documents" in refusal(every_nth, examples, 2)


def test_a_classifier_of_examples_that_are_all_the_same():
    """ "The solver failed because the input matrix is singular": it says what most labels say."""
    assert linear(torch.ones(3, 2), [0, 1, 1])(torch.ones(1, 2)).tolist() == [1]


def test_a_classifier_needs_one_label_for_each_row():
    with pytest.raises(ValueError, match="3 rows of features and 2 labels"):
        linear(torch.ones(3, 2), [0, 1])


@pytest.mark.parametrize("settings", [None, [], [1.0], [(1.0, None)], [{"a": 1, "b": 2, "c": 3}]])
def test_settings_that_are_none(settings):
    """ "check_sampling() missing 1 required positional argument"; none gave an empty table."""
    lm = load_causal_lm("pocket-gpt2", device="cpu")
    assert "top_k" in refusal(frontier, lm, "What is a", settings)


def test_rounds_of_a_game_that_do_not_match():
    """A rival without a share for each option raised an IndexError after the first bet."""
    even = Round("A", (" b", " c"), " b", {"truth": (0.5, 0.5)})
    for odd in (even._replace(rivals={"truth": (1.0,)}), Round("A", (" b",), " b", {})):
        assert "needs as many" in refusal(guess, [even, odd])


@pytest.mark.parametrize("models", [{}, None, ["pocket-gpt2"]])
def test_a_view_of_no_models(models):
    """An IndexError, or "not iterable"."""
    assert "{label: model}" in refusal(SurpriseExplorer, models, "The baker said")


def test_a_column_that_a_table_does_not_have():
    """A KeyError of pandas."""
    assert "no column 'n_params '" in refusal(RulerExplorer, read("abilities"), "n_params ")


@pytest.mark.parametrize("name", [["gpt2"], None, 7])
def test_a_real_model_by_what_is_no_name(name):
    """ "unhashable type: 'list'"."""
    assert "none of the known models" in refusal(RealModel, name, "Once upon a time")


# ---- diagnoses


@pytest.mark.parametrize(
    ("said", "short"),
    [
        ("CUDA out of memory. Tried to allocate 2 GiB", True),
        ("MPS backend out of memory", True),
        ("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes", True),
        ("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes", True),
        ("CUDA error: out of memory", True),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)", True),
        ("CUDA error: an illegal memory access was encountered", False),
        ("unable to open shared memory object </torch_1>", False),
        ("unsupported memory format option Contiguous", False),
        ("cannot pin 'torch.FloatTensor' only dense CPU tensors: pin_memory", False),
    ],
)
def test_only_too_little_memory_is_called_so(said, short):
    """ "illegal memory access" was told as memory that does not suffice."""
    assert is_short_memory(RuntimeError(said)) is short


@pytest.mark.parametrize("family", ["gpt7", "llama99", "Qwen-Next"])
def test_a_newer_type_of_model_is_called_newer(folder, family):
    """It was told as a model that "neither writes nor fills blanks"."""
    rewrite(folder / "config.json", model_type=family)
    sentence = refusal(load_causal_lm, folder)
    assert "neither writes" not in sentence
    assert "pip install --upgrade transformers" in sentence


# ---- a folder of the same name


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_whole_folder_with_the_name_of_a_model_of_the_hub(here):
    """It was taken silently. Now a warning names it."""
    save_tiny("gpt2", here / "gpt2")
    with pytest.warns(UserWarning, match=f"'gpt2' is the folder {here}/gpt2 here"):
        assert load_causal_lm("gpt2").context == 64


@pytest.mark.filterwarnings("ignore:.*is the folder")
@pytest.mark.parametrize("name", ["gpt2", "openai-community/gpt2", "bert-base-uncased"])
def test_a_wrong_folder_with_the_name_of_a_model_of_the_hub(here, name):
    """A partial one, or one of another kind: the sentence did not say that it meant a folder."""
    save_tiny("bert" if "gpt" in name else "gpt2", here / name)
    load = load_causal_lm if "gpt" in name else load_masked_lm
    before = kept(here / name)
    assert f"the folder {here}/{name}" in refusal(load, name)
    (here / name / "model.safetensors").unlink()
    assert f"the folder {here}/{name}" in refusal(load, name)
    (here / name / "config.json").write_text("[]")
    sentence = refusal(load, name)
    assert f"{here}/{name}" in sentence
    assert "elete" not in sentence
    assert set(kept(here / name)) == set(before) - {"model.safetensors"}


def test_a_folder_of_ones_own_is_opened_without_remarks(here):
    save_tiny("gpt2", here / "my" / "model")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_causal_lm("my/model").context == 64
        assert load_causal_lm("./my/model").context == 64


def test_prefetch_does_not_take_a_folder_for_the_model(here):
    """`prefetch gpt2` verified the folder gpt2/ and downloaded nothing. It asks the hub."""
    save_tiny("gpt2", here / "gpt2")
    with pytest.raises(ModelNotAvailable, match="not in the local cache"):
        checkpoints.find("gpt2", folders=False)


# ---- the page's questions


@pytest.mark.parametrize(
    "library", [np.array, torch.tensor, tuple, lambda x: [torch.tensor(v) for v in x]]
)
def test_exercises_take_arrays_and_tensors(library):
    """ "The truth value of an array is ambiguous", or tensors printed in the verdict."""
    asked = {
        "solution": "def solution(n): return [n * 0.5, 1.0]",
        "cases": "[(1,), (2,)]",
        "mistakes": {"Doubled.": "def mistake(n): return [n * 2.0, 1.0]"},
    }
    assert judge(asked, lambda n: library([n * 0.5, 1.0]))[0] == "Solved."
    assert judge(asked, lambda n: library([n * 2.0, 1.0])) == ("Not yet.", "Doubled.")
    told = judge(asked, lambda n: library([9.0, 1.0]))[1]
    assert "9.0, 1.0" in told
    assert "tensor" not in told
    assert "array" not in told


def test_a_guess_of_zero_is_kept():
    """A guess that the box shows from the start was no change, and never kept."""
    predict("05-2").guess(0)
    assert compare("05-2", 0.0).text == "You guessed 0 %. Measured: 0 %, as you said."
