"""Loading: what is there is opened, what is not there is explained, and nothing hangs or needs a network."""

import json
import shutil
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import torch
from huggingface_hub import constants
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

from helpers import checkpoints, hub
from helpers.models import KNOWN_MODELS, LanguageModel, ModelNotAvailable, load_causal_lm, load_masked_lm
from tests.loopback_hub import COMMIT, LoopbackHub
from tests.tiny_models import CAUSAL, MASKED, save_tiny, tiny

LIMIT = 8  # seconds for a decision from the first request on; 5 where the machine is idle


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """One folder for each tiny model."""
    root = tmp_path_factory.mktemp("models")
    return {family: save_tiny(family, root / family) for family in (*CAUSAL, *MASKED)}


@pytest.fixture
def folder(folders, tmp_path):
    """A copy of the tiny GPT-2 to do harm to."""
    return shutil.copytree(folders["gpt2"], tmp_path / "model")


@pytest.fixture
def online(monkeypatch, tmp_path):
    """An empty cache, and a function that points the loaders at a hub."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return lambda address: monkeypatch.setattr(constants, "ENDPOINT", address)


def load(family, name, **options):
    return (load_causal_lm if family in CAUSAL else load_masked_lm)(name, **options)


def into_cache(folder, name, cache):
    """Lay a model down in the local cache as a download does."""
    repository = cache / f"models--{name}"
    shutil.copytree(folder, repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    return repository


# ------------------------------------------------------------------------------------------ what a loaded model is


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
    AutoModelForCausalLM.from_pretrained(tmp_path / "half").half().save_pretrained(tmp_path / "half")
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
    assert pocket.unknown_words("Once upon a time, a xylophone met 2 XYLOPHONES; a xylophone 😀.") == [
        "xylophone", "XYLOPHONES", "😀",
    ]
    assert pocket.unknown_words("Once upon a time, 12 cats") == ["cats"] * ("cats" not in pocket.vocabulary)
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
            "bert-large-uncased", BertForMaskedLM,
            BertConfig(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096),
        ),
        (
            "roberta-base", RobertaForMaskedLM,
            RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1),
        ),
        ("distilbert-base-uncased", DistilBertForMaskedLM, DistilBertConfig()),
        (
            "albert-base-v2", AlbertForMaskedLM,
            AlbertConfig(embedding_size=128, hidden_size=768, num_attention_heads=12, intermediate_size=3072),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_table_of_sizes_is_computed(name, model_class, config):
    with torch.device("meta"):
        n_params = model_class(config).num_parameters()
    masks = config.n_layer * 1024**2 if model_class is GPT2LMHeadModel else 0  # stored with the weights
    kind = "causal" if model_class is GPT2LMHeadModel else "masked"
    assert KNOWN_MODELS[name] == (kind, n_params, round((n_params + masks) * 4 / 1e6))


# ------------------------------------------------------------------------------------------ the wrong thing


def test_a_masked_model_is_refused_by_the_causal_loader_and_the_reverse(folders, monkeypatch):
    monkeypatch.setattr(hub, "fetch", None)  # known names need no network to be refused
    for name in ("bert-base-uncased", "pocket-bert", folders["bert"]):
        with pytest.raises(ValueError, match=r"is a masked model: it fills blanks .* Load it with load_masked_lm"):
            load_causal_lm(name, fallback="pocket-gpt2")
    for name in ("gpt2", "pocket-gpt2", folders["gpt2"], folders["llama"]):
        with pytest.raises(ValueError, match=r"is a causal model: it continues .* Load it with load_causal_lm"):
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


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta", 3.5, "CPU:"])
def test_a_device_that_is_not_there_is_refused(folders, device):
    with pytest.raises(ValueError, match=r"The device .* is not there\. Use 'cpu'"):
        load_causal_lm(folders["gpt2"], device=device)


def test_a_device_is_honoured(folders):
    assert load_causal_lm(folders["gpt2"], device="cpu").model.device == torch.device("cpu")
    assert load_causal_lm(folders["gpt2"], device=torch.device("cpu")).model.device == torch.device("cpu")


def test_memory_that_does_not_suffice_is_explained(folders, monkeypatch):
    def exhausted(self, device):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(GPT2LMHeadModel, "to", exhausted)
    with pytest.raises(ModelNotAvailable, match=r"needs 0.0 GB, more than cpu has to spare\. Use device='cpu'"):
        load_causal_lm(folders["gpt2"], device="cpu")


def test_another_kind_of_model_is_refused(folder):
    (folder / "config.json").write_text(json.dumps({"model_type": "t5"}))
    with pytest.raises(ValueError, match="is a 't5' model, which neither writes nor fills blanks"):
        load_causal_lm(folder)


def test_code_of_a_checkpoint_is_never_run(folder):
    config = {"model_type": "own", "auto_map": {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text("raise SystemExit('it was run')")
    with pytest.raises(ModelNotAvailable, match="needs program code of its own"):
        load_causal_lm(folder)


def test_a_model_without_a_head_is_refused(folders, tmp_path):
    from transformers import BertForSequenceClassification

    shutil.copytree(folders["bert"], tmp_path / "headless")
    config = BertConfig.from_pretrained(folders["bert"])
    BertForSequenceClassification(config).save_pretrained(tmp_path / "headless")
    with pytest.raises(ModelNotAvailable, match=r"was not trained for this: it lacks cls\.predictions"):
        load_masked_lm(tmp_path / "headless")


def test_pickle_weights_are_refused(folder):
    weights = folder / "model.safetensors"
    weights.rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelNotAvailable, match=r"no complete safetensors weights\. Pickle is not opened"):
        load_causal_lm(folder)


def test_a_missing_part_of_the_weights_is_noticed(folder):
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    with pytest.raises(ModelNotAvailable, match="no complete safetensors weights"):
        load_causal_lm(folder)


def test_a_damaged_bundle_asks_for_a_new_installation(folder, monkeypatch):
    folder.rename(folder.parent / "pocket-gpt2")
    monkeypatch.setattr(checkpoints, "BUNDLE", folder.parent)
    assert load_causal_lm("pocket-gpt2").context == 64
    (folder.parent / "pocket-gpt2" / "config.json").write_text("[]")
    with pytest.raises(ModelNotAvailable, match=r"config.json \(it is not an object\). Install this package again"):
        load_causal_lm("pocket-gpt2")


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
@pytest.mark.parametrize("size", [0, 100])
def test_a_half_written_file_is_named(folder, file, size, capsys):
    (folder / file).write_bytes((folder / file).read_bytes()[:size])
    with pytest.raises(ModelNotAvailable, match=f"A file .* is missing or damaged: .*{file}.* Delete {folder}"):
        load_causal_lm(folder)
    assert load_causal_lm(folder, fallback="pocket-gpt2").name == "pocket-gpt2"
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    assert "Using 'pocket-gpt2' instead." in printed


# ------------------------------------------------------------------------------------------ the cache and the hub


def test_the_cache_needs_no_network(folders, online, tmp_path, monkeypatch):
    into_cache(folders["gpt2"], "gpt2", tmp_path / "cache")
    online("http://127.0.0.1:9")
    monkeypatch.setattr(hub, "fetch", None)
    assert load_causal_lm("gpt2").name == "gpt2"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert load_causal_lm("gpt2").name == "gpt2"


def test_a_damaged_cache_names_the_folder_to_delete(folders, online, tmp_path):
    repository = into_cache(folders["gpt2"], "gpt2", tmp_path / "cache")
    (repository / "snapshots" / COMMIT / "model.safetensors").write_bytes(b"12345678")
    with pytest.raises(ModelNotAvailable, match=f"Delete {repository} and load the model again"):
        load_causal_lm("gpt2")


def test_offline_means_no_attempt(online, monkeypatch, capsys):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub.subprocess, "Popen", None)
    with pytest.raises(ModelNotAvailable, match=r"HF_HUB_OFFLINE is set.*prefetch gpt2` \(548 MB\)"):
        load_causal_lm("gpt2")
    assert load_causal_lm("gpt2", fallback="pocket-gpt2").name == "pocket-gpt2"
    printed = capsys.readouterr().out
    assert printed == (
        "'gpt2' is not available: it is not in the local cache, and HF_HUB_OFFLINE is set, so nothing is downloaded. "
        "Using 'pocket-gpt2' instead.\n"
    )


@pytest.mark.parametrize(("fault", "reason"), [
    ("silent", "did not answer within 3 seconds"),
    ("missing", "has no model of that name, or it is private"),
    ("busy", "answered with error 503"),
])
def test_a_hub_that_fails_is_given_up_within_seconds(online, fault, reason, tmp_path):
    with LoopbackHub(fault=fault) as server:
        online(server.address)
        with pytest.raises(ModelNotAvailable, match=reason):
            load_causal_lm("gpt2")
        assert time.monotonic() - server.asked_at[0] < LIMIT
        assert not any("/resolve/" in path for path in server.requests)
    assert not list(tmp_path.rglob("*.incomplete"))


def test_a_hub_that_refuses_is_given_up_within_seconds(online, capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
    online(address)  # nobody listens there any more
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "import huggingface_hub"], check=True)
    idle = time.monotonic() - started  # how long a process takes to start on a machine that may be busy
    started = time.monotonic()
    with pytest.raises(ModelNotAvailable, match="Connection refused"):
        load_masked_lm("bert-base-uncased")
    assert time.monotonic() - started < LIMIT + 2 * idle
    assert load_masked_lm("bert-base-uncased", fallback="pocket-bert").name == "pocket-bert"
    assert "Connection refused" in capsys.readouterr().out


def test_a_model_is_downloaded_once(online, capfd):
    bundled = load_causal_lm("pocket-gpt2")
    with LoopbackHub({"gpt2": checkpoints.on_disk("pocket-gpt2")}) as server:
        online(server.address)
        lm = load_causal_lm("gpt2")
        bar = capfd.readouterr().err
        asked = len(server.requests)
        assert load_causal_lm("gpt2").name == "gpt2"
        assert len(server.requests) == asked
    assert "gpt2:" in bar
    assert "100%" in bar
    pairs = zip(lm.model.parameters(), bundled.model.parameters(), strict=True)
    assert all(torch.equal(ours, theirs) for ours, theirs in pairs)


def test_a_hub_without_a_configuration_is_explained(online, tmp_path):
    (tmp_path / "empty").mkdir()
    with LoopbackHub({"gpt2": tmp_path / "empty"}) as server:
        online(server.address)
        with pytest.raises(ModelNotAvailable, match="the hub has no configuration of it"):
            load_causal_lm("gpt2")


def test_the_kind_is_checked_before_the_weights_come(folders, online):
    with LoopbackHub({"somebody/some-bert": folders["bert"]}) as server:
        online(server.address)
        with pytest.raises(ValueError, match="is a masked model"):
            load_causal_lm("somebody/some-bert", fallback="pocket-gpt2")
        assert not any("model.safetensors" in path for path in server.requests)


def test_a_download_that_stalls_is_given_up_and_can_be_repeated(folders, online, tmp_path):
    with LoopbackHub({"gpt2": folders["gpt2"]}, fault="stall") as server:
        online(server.address)
        with pytest.raises(ModelNotAvailable, match="the download brought nothing for 5 seconds"):
            load_causal_lm("gpt2")
        assert time.monotonic() - server.asked_at[-1] < LIMIT
        assert not list(tmp_path.rglob("*.incomplete"))
        server.fault = ""
        assert load_causal_lm("gpt2").name == "gpt2"


def test_a_download_that_is_cut_goes_on(folders, online):
    with LoopbackHub({"gpt2": folders["gpt2"]}, fault="cut") as server:
        online(server.address)
        assert load_causal_lm("gpt2").name == "gpt2"


def test_an_interrupted_download_falls_back(monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(hub, "fetch", interrupted)
    assert load_causal_lm("gpt2", fallback="pocket-gpt2").name == "pocket-gpt2"
    assert capsys.readouterr().out == "Loading 'gpt2' was interrupted. Using 'pocket-gpt2' instead.\n"
    with pytest.raises(KeyboardInterrupt):
        load_causal_lm("gpt2")


@pytest.mark.parametrize(("name", "near"), [("gpt-2", "gpt2"), ("GPT2", "gpt2"), ("distilgpt", "distilgpt2")])
def test_a_wrong_name_suggests_near_ones(name, near):
    with pytest.raises(ModelNotAvailable, match=f"Did you mean .*'{near}'"):
        load_causal_lm(name)


def test_a_name_that_cannot_be_one_is_explained():
    for name in ("no/such/model", "a b", "x" * 300):
        with pytest.raises(ModelNotAvailable, match="is not available"):
            load_causal_lm(name)


def test_find_reports_what_prefetch_prints(folders):
    assert checkpoints.find(folders["albert"]) == folders["albert"]
    assert checkpoints.find("pocket-bert").name == "pocket-bert"


def test_a_transfer_that_cannot_start_is_reported(online, monkeypatch):
    monkeypatch.setattr(hub, "START_SECONDS", 0)
    online("http://127.0.0.1:9")
    with pytest.raises(ModelNotAvailable, match="Python did not start"):
        load_causal_lm("gpt2")


def test_the_best_device_is_taken(monkeypatch):
    assert checkpoints.checked_device(None).type in ("cpu", "cuda", "mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert checkpoints.checked_device(None).type == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends, "mps", SimpleNamespace(is_available=lambda: True))
    assert checkpoints.checked_device(None).type == "mps"
