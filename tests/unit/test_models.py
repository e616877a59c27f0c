"""Loading what is on this machine, and refusing what must not be opened. The hub has
`test_hub_faults`.
"""

import json
import shutil
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AlbertConfig,
    AlbertForMaskedLM,
    BertConfig,
    BertForMaskedLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    RobertaConfig,
    RobertaForMaskedLM,
)

from helpers._plumbing import checkpoints, hub
from helpers.models import (
    KNOWN_MODELS,
    LanguageModel,
    ModelNotAvailable,
    load_causal_lm,
    load_masked_lm,
)
from tests.support.tiny_models import CAUSAL, MASKED, save_tiny, tiny


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """One folder for each tiny model."""
    root = tmp_path_factory.mktemp("models")
    return {family: save_tiny(family, root / family) for family in (*CAUSAL, *MASKED)}


@pytest.fixture
def folder(folders, tmp_path):
    """A copy of the tiny GPT-2 to do harm to."""
    return shutil.copytree(folders["gpt2"], tmp_path / "model")


def load(family, name, **options):
    return (load_causal_lm if family in CAUSAL else load_masked_lm)(name, **options)


# ---- what a loaded model is


@pytest.mark.parametrize("family", [*CAUSAL, *MASKED])
def test_a_folder_on_disk_opens(folders, family, capfd):
    lm = load(family, folders[family])
    assert lm.kind == ("causal" if family in CAUSAL else "masked")
    assert lm.model.dtype == torch.float32
    assert not lm.model.training
    assert lm.n_params == sum(p.numel() for p in {id(p): p for p in lm.model.parameters()}.values())
    assert len(lm.vocabulary) == lm.model(torch.tensor([[1, 2]])).logits.shape[-1]
    assert lm.context == {"roberta": 62, "pocket-gpt2": 256, "pocket-bert": 256}.get(family, 64)
    assert repr(lm).count("\n") < 10
    assert f"{lm.n_params:,} parameters" in repr(lm)
    assert "".join(capfd.readouterr()) == ""  # no bars, no remarks


@pytest.mark.parametrize("name", ["pocket-gpt2", "pocket-bert"])
def test_the_bundled_models_open_and_are_what_the_table_says(name):
    lm = (load_causal_lm if name == "pocket-gpt2" else load_masked_lm)(name)
    assert (lm.name, lm.kind, lm.n_params) == (name, *KNOWN_MODELS[name][:2])
    assert lm.context == 256


def test_half_precision_files_open_in_single_precision(folders, tmp_path):
    from transformers import AutoModelForCausalLM

    shutil.copytree(folders["gpt2"], tmp_path / "half")
    AutoModelForCausalLM.from_pretrained(tmp_path / "half").half().save_pretrained(
        tmp_path / "half"
    )
    assert load_causal_lm(tmp_path / "half").model.dtype == torch.float32


def test_a_model_of_ones_own():
    other = tiny("gpt2")
    lm = LanguageModel(other.model.train(), other.tokenizer, "mine")
    assert lm.kind == "causal"
    assert not lm.model.training


def test_vocabulary_is_the_decoded_text():
    lm = tiny("gpt2")
    spaced = lm.tokenizer.convert_tokens_to_ids("Ġcat")
    assert lm.vocabulary[spaced] == " cat"
    assert all("\ufffd" not in text for text in lm.vocabulary)
    assert tiny("bert").vocabulary[tiny("bert").tokenizer.convert_tokens_to_ids("##ing")] == "##ing"
    assert " cat" in tiny("llama").vocabulary


def test_unknown_words_are_those_in_pieces():
    pocket = tiny("pocket-gpt2")
    assert pocket.unknown_words(
        "Once upon a time, a xylophone met 2 XYLOPHONES; a xylophone 😀."
    ) == [
        "xylophone",
        "XYLOPHONES",
        "😀",
    ]
    assert pocket.unknown_words("Once upon a time, 12 cats") == ["cats"] * (
        "cats" not in pocket.vocabulary
    )
    assert tiny("gpt2").unknown_words("xylophone") == []
    assert tiny("bert").unknown_words("xylophone") == []


@pytest.mark.parametrize(
    ("name", "model_class", "config"),
    [
        ("gpt2", GPT2LMHeadModel, GPT2Config()),
        ("distilgpt2", GPT2LMHeadModel, GPT2Config(n_layer=6)),
        ("gpt2-medium", GPT2LMHeadModel, GPT2Config(n_layer=24, n_embd=1024, n_head=16)),
        ("gpt2-large", GPT2LMHeadModel, GPT2Config(n_layer=36, n_embd=1280, n_head=20)),
        ("bert-base-uncased", BertForMaskedLM, BertConfig()),
        (
            "bert-large-uncased",
            BertForMaskedLM,
            BertConfig(
                hidden_size=1024,
                num_hidden_layers=24,
                num_attention_heads=16,
                intermediate_size=4096,
            ),
        ),
        (
            "roberta-base",
            RobertaForMaskedLM,
            RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1),
        ),
        ("distilbert-base-uncased", DistilBertForMaskedLM, DistilBertConfig()),
        (
            "albert-base-v2",
            AlbertForMaskedLM,
            AlbertConfig(
                embedding_size=128, hidden_size=768, num_attention_heads=12, intermediate_size=3072
            ),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_table_of_sizes_is_computed(name, model_class, config):
    with torch.device("meta"):
        n_params = model_class(config).num_parameters()
    beside = 0  # numbers in the file that are no parameters of this model
    if model_class is GPT2LMHeadModel:
        beside = config.n_layer * 1024**2  # causal masks
    elif model_class in (BertForMaskedLM, AlbertForMaskedLM):  # the head for pairs of sentences
        beside = config.hidden_size**2 + config.hidden_size + 2 * config.hidden_size + 2
    kind = "causal" if model_class is GPT2LMHeadModel else "masked"
    megabytes = round((n_params + beside) * 4 / 1e6)
    assert KNOWN_MODELS[name] == (kind, n_params, megabytes, False)


def test_sizes_are_those_of_the_files():
    """What was read on the hub, in megabytes; the weekly workflow reads it again."""
    read = {"gpt2": 548, "bert-base-uncased": 440.4, "albert-base-v2": 47.4}
    for name, megabytes in read.items():
        assert KNOWN_MODELS[name].download_mb == round(megabytes)


# ---- the wrong thing


def test_a_masked_model_is_refused_by_the_causal_loader_and_the_reverse(folders, monkeypatch):
    monkeypatch.setattr(hub, "fetch", None)  # known names need no network to be refused
    for name in ("bert-base-uncased", "pocket-bert", folders["bert"]):
        with pytest.raises(
            ValueError, match=r"is a masked model: it fills blanks .* Load it with load_masked_lm"
        ):
            load_causal_lm(name, fallback="pocket-gpt2")
    for name in ("gpt2", "pocket-gpt2", folders["gpt2"], folders["llama"]):
        with pytest.raises(
            ValueError, match=r"is a causal model: it continues .* Load it with load_causal_lm"
        ):
            load_masked_lm(name, fallback="pocket-bert")


@pytest.mark.parametrize("name", [None, 5, "", "  ", ["gpt2"]])
def test_a_name_must_be_text(name):
    with pytest.raises(TypeError, match="A model is named by text"):
        load_causal_lm(name)


def test_a_fallback_must_be_on_this_machine(folders):
    with pytest.raises(ValueError, match="'distilgpt2' is not on this machine"):
        load_causal_lm("gpt2", fallback="distilgpt2")
    with pytest.raises(TypeError, match="A model is named by text"):
        load_causal_lm("gpt2", fallback="")
    with pytest.raises(ValueError, match="is a masked model"):
        load_causal_lm("gpt2", fallback="pocket-bert")


@pytest.mark.parametrize(
    "device",
    [
        "gpu",
        "cuda:99",
        "meta",
        3.5,
        "CPU:",
        "",
        True,
        -1,
        10**400,
        "\ud800",
        "x" * 10**6,
    ],
)
def test_a_device_that_is_not_there_is_refused(folders, device):
    with pytest.raises(ValueError, match=r"The device .* is not there\. Use 'cpu'") as caught:
        load_causal_lm(folders["gpt2"], device=device)
    assert len(str(caught.value)) < 200


def test_a_device_is_honoured(folders):
    assert load_causal_lm(folders["gpt2"], device="cpu").model.device == torch.device("cpu")
    assert load_causal_lm(folders["gpt2"], device=torch.device("cpu")).model.device == torch.device(
        "cpu"
    )


@pytest.mark.parametrize(
    ("said", "device", "remedy"),
    [
        (MemoryError(), "cpu", "'pocket-gpt2'."),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
            "cpu",
            "'pocket-gpt2'.",
        ),
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
            "cuda",
            "'pocket-gpt2', or device='cpu'.",
        ),
        (RuntimeError("MPS backend out of memory"), "mps", "'pocket-gpt2', or device='cpu'."),
    ],
)
def test_memory_that_does_not_suffice_is_explained(folders, monkeypatch, said, device, remedy):
    def exhausted(self, device):
        raise said

    monkeypatch.setattr(GPT2LMHeadModel, "to", exhausted)
    with pytest.raises(ModelNotAvailable) as caught:
        checkpoints.read_model(folders["gpt2"], "causal", "gpt2", torch.device(device))
    need = load_file(folders["gpt2"] / "model.safetensors")
    gigabytes = 4 * sum(tensor.numel() for tensor in need.values()) / 1e9
    assert f"'gpt2' needs {gigabytes:.2g} GB of memory, more than {device} has to spare." in str(
        caught.value
    )
    assert str(caught.value).endswith(f"Use a smaller one, such as {remedy}")


@pytest.mark.parametrize(
    ("name", "smaller"), [("gpt2-medium", "gpt2"), ("gpt2", "distilgpt2"), ("big", "gpt2-large")]
)
def test_the_smaller_model_is_the_next_one(folders, monkeypatch, name, smaller):
    size = KNOWN_MODELS[name].n_params if name in KNOWN_MODELS else 10**10
    monkeypatch.setattr(checkpoints.math, "prod", lambda shape: size if shape == [64, 32] else 0)
    monkeypatch.setattr(
        GPT2LMHeadModel, "to", lambda *_: torch.empty(2**60)
    )  # this is what really runs out
    with pytest.raises(
        ModelNotAvailable, match=f"needs {size * 4 / 1e9:.2g} GB .* such as '{smaller}'"
    ):
        checkpoints.read_model(folders["gpt2"], "causal", name, torch.device("cpu"))


def test_other_errors_are_not_blamed_on_the_memory(folders, monkeypatch):
    monkeypatch.setattr(GPT2LMHeadModel, "to", lambda *_: torch.ones(2) @ torch.ones(3))
    with pytest.raises(RuntimeError, match="inconsistent tensor size"):
        load_causal_lm(folders["gpt2"])


def test_another_kind_of_model_is_refused(folder):
    (folder / "config.json").write_text(json.dumps({"model_type": "t5"}))
    with pytest.raises(ValueError, match="is a 't5' model, which neither writes nor fills blanks"):
        load_causal_lm(folder)
    for broken in ({"model_type": ["gpt2"]}, {"n_layer": 2}):
        (folder / "config.json").write_text(json.dumps(broken))
        with pytest.raises(ModelNotAvailable, match="it names no model_type"):
            load_causal_lm(folder)
    (folder / "config.json").write_text("[" * 10**5)
    with pytest.raises(ModelNotAvailable, match=r"damaged: .*config\.json"):
        load_causal_lm(folder)


def test_code_of_a_checkpoint_is_never_run(folder):
    config = {
        "model_type": "own",
        "auto_map": {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text("raise SystemExit('it was run')")
    with pytest.raises(ModelNotAvailable, match="needs program code of its own"):
        load_causal_lm(folder)


def test_a_model_without_a_head_is_refused(folders, tmp_path):
    from transformers import BertForSequenceClassification

    shutil.copytree(folders["bert"], tmp_path / "headless")
    config = BertConfig.from_pretrained(folders["bert"])
    BertForSequenceClassification(config).save_pretrained(tmp_path / "headless")
    with pytest.raises(
        ModelNotAvailable, match=r"was not trained for this: it lacks cls\.predictions"
    ):
        load_masked_lm(tmp_path / "headless")


def test_pickle_weights_are_refused(folder):
    weights = folder / "model.safetensors"
    weights.rename(folder / "pytorch_model.bin")
    with pytest.raises(
        ModelNotAvailable, match=r"no complete safetensors weights\. Pickle is not opened"
    ):
        load_causal_lm(folder)


def test_a_model_without_a_tokenizer_is_refused(folder):
    (folder / "tokenizer.json").unlink()  # transformers would make an empty one
    with pytest.raises(ModelNotAvailable, match="has no tokenizer"):
        load_causal_lm(folder)


def test_code_for_a_tokenizer_is_never_run(folder):
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config |= {
        "auto_map": {"AutoTokenizer": ["evil.Tokenizer", None]},
        "tokenizer_class": "EvilTokenizer",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text("raise SystemExit('it was run')")
    lm = load_causal_lm(folder)
    assert lm.tokenizer.decode(lm.tokenizer("the cat").input_ids) == "the cat"


def test_a_missing_part_of_the_weights_is_noticed(folder):
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    with pytest.raises(ModelNotAvailable, match="no complete safetensors weights"):
        load_causal_lm(folder)


def test_a_damaged_bundle_asks_for_a_new_installation(folder, monkeypatch):
    folder.rename(folder.parent / "pocket-gpt2")
    monkeypatch.setattr(checkpoints, "DATA", folder.parent)
    assert load_causal_lm("pocket-gpt2").context == 64
    (folder.parent / "pocket-gpt2" / "config.json").write_text("[]")
    with pytest.raises(
        ModelNotAvailable, match=r"config.json \(it is not an object\). Install this package again"
    ):
        load_causal_lm("pocket-gpt2")


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
@pytest.mark.parametrize("size", [0, 100])
def test_a_half_written_file_is_named(folder, file, size, capsys):
    (folder / file).write_bytes((folder / file).read_bytes()[:size])
    with pytest.raises(
        ModelNotAvailable, match=f"A file .* is missing or damaged: .*{file}.* Mend that file, or"
    ):
        load_causal_lm(folder)
    assert load_causal_lm(folder, fallback="pocket-gpt2").name == "pocket-gpt2"
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    assert "Using 'pocket-gpt2' instead." in printed


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("gpt-2", "gpt2"),
        ("GPT2", "gpt2"),
        (" gpt2", "gpt2"),
        ("distilgpt", "distilgpt2"),
    ],
)
def test_a_wrong_name_suggests_near_ones(name, near):
    with pytest.raises(ModelNotAvailable, match=f"Did you mean .*'{near}'"):
        load_causal_lm(name)
    with pytest.raises(
        ModelNotAvailable, match=r"Did you mean 'bert-base-uncased' or 'bert-large-uncased'"
    ):
        load_masked_lm("bert-uncased")


@pytest.mark.parametrize(
    "name",
    [
        "no/such/model",
        "a b",
        "x" * 10**6,
        "\ud800",
        "a\0b",
        "..",
        "--help",
        "<img src=x>\n",
    ],
)
def test_a_name_that_cannot_be_one_is_explained(name):
    with pytest.raises(
        ModelNotAvailable, match=r"no folder with a config\.json, and no name that a hub"
    ) as caught:
        load_causal_lm(name)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500
    assert load_causal_lm(name, fallback="pocket-gpt2").name == "pocket-gpt2"


def test_find_reports_what_prefetch_prints(folders):
    assert checkpoints.find(folders["albert"]) == folders["albert"]
    assert checkpoints.find("pocket-bert").name == "pocket-bert"


def test_the_best_device_is_taken(monkeypatch):
    assert checkpoints.checked_device(None).type in ("cpu", "cuda", "mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert checkpoints.checked_device(None).type == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends, "mps", SimpleNamespace(is_available=lambda: True))
    assert checkpoints.checked_device(None).type == "mps"
