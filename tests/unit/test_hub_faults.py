"""The hub and the cache: what the reader sees when something goes wrong on the way, and what is
kept.

The hub is `tests.support.loopback_hub`, reached as a mirror is, through `HF_ENDPOINT`; `X` stands
for its address. With a `fallback` the reader sees one line, "'gpt2' is not available: it is not in
the local cache, and ... Using 'pocket-gpt2' instead.", without one a `ModelNotAvailable` with the
same reason and a remedy. After every fault but the last three the same call succeeds as soon as the
hub is well, and goes on from what was kept.

| fault | what the reader sees | within | what is kept |
|---|---|---|---|
| nobody listens | the download failed (... Connection refused) | at once | nothing |
| it accepts and never answers | X did not answer within 3 seconds | 3 s | nothing |
| 401, unknown name | X has no model of that name, or shows it only to some | at once | nothing |
| 401 for a file | the same | at once | nothing |
| 404, 500 and the like | X answered with error 500 | at once | nothing |
| 429 with Retry-After | ... and wants to be asked again in 7 seconds | at once | nothing |
| 429, 500 for a file | the same | at once | whole files |
| redirects | nothing: they are followed | | the model |
| no first byte of a file | the download brought nothing for 5 seconds | 5 s | whole files |
| silence in mid-file | the same | 5 s | whole files, the part |
| a cut in mid-file | nothing: it goes on from there | | the model |
| a cut each time | the download failed (...), or brought nothing | 6 s | whole files, the part |
| other bytes than promised | the bytes of F are not those that X promised | at once | whole files |
| gone between two files | the download failed (...), or brought nothing | 6 s | whole files |
| the reader interrupts | Loading 'gpt2' was interrupted. | at once | whole files, the part |
| the process is killed | | | whole files, the part |
| another process is at it | another process is downloading it | its time | the model |
| HF_HUB_OFFLINE=1 | HF_HUB_OFFLINE is set, so nothing is downloaded | at once | nothing |
| a read-only cache | the cache folder F cannot be written (Read-only file system) | at once | all |
| a full disk | ... (548 MB are to come, 9 MB are free) | at once | whole files, the part |
| a damaged file | A file of 'gpt2' is missing or damaged: F. Delete D ... | at once | all |
| 401 with a token | X does not accept your token | at once | all |
| certificates that are gone | SSL_CERT_FILE names F, which holds no certificates | at once | all |
| two commits in the cache | nothing: what is missing of the hub's commit comes | | both |

Most transfers here are copies of a Python that is ready (`tests.support.quick_transfers`); those
of interrupted and of neighbouring processes, and of `own_processes`, start as a reader's do.
"""

import ast
import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import pytest
import torch
from huggingface_hub import constants
from IPython.core.interactiveshell import InteractiveShell

from helpers import __main__ as command_line
from helpers._plumbing import checkpoints, hub
from helpers.explorers import RealModel
from helpers.models import KNOWN_MODELS, ModelNotAvailable, load_causal_lm, load_masked_lm
from tests.support.loopback_hub import COMMIT, LoopbackHub, save_models
from tests.support.notebook_plugin import ROOT
from tests.support.quick_transfers import Impatient, Transfers

FETCH = """
import signal, sys
from helpers._plumbing.hub import fetch
signal.signal(signal.SIGINT, signal.default_int_handler)  # under `nohup` it would be ignored
print("ready", flush=True)
sys.stdin.readline()
fetch("gpt2", "*.json", "*.safetensors")
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return save_models(tmp_path_factory.mktemp("hub"))


@pytest.fixture(scope="module")
def transfers():
    if os.name != "posix":  # no process can be copied there: each starts as a reader's does
        yield subprocess
        return
    transfers = Transfers()
    yield transfers
    transfers.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch, transfers):
    """Transfers that are copies of a Python that is ready."""
    monkeypatch.setattr(hub, "subprocess", transfers)


@pytest.fixture
def own_processes(monkeypatch, quick):
    """Transfers as they are shipped, each a Python of its own."""
    monkeypatch.setattr(hub, "subprocess", subprocess)


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache, and leave to download into it."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def serve(cache, models, monkeypatch):
    """A function: start a hub with a fault, and lead the loaders to it."""
    running = []

    def start(fault="", models=models):
        running.append(LoopbackHub(models, fault).__enter__())
        template = (
            running[-1].address + "/{repo_id}/resolve/{revision}/{filename}"
        )  # what the library makes of it
        monkeypatch.setattr(constants, "ENDPOINT", running[-1].address)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        return running[-1]

    yield start
    for server in running:
        server.__exit__()


@pytest.fixture
def waited(monkeypatch):
    """A function: wait for a hub only until it has fallen silent. Returns the list of the seconds
    that a reader would have waited in vain.
    """

    def impatient(fell_silent):
        stand_in = Impatient(fell_silent)
        monkeypatch.setattr(hub, "queue", stand_in)
        return stand_in.waited

    return impatient


def parts(cache):
    """The sizes of the files that have come only in part."""
    return [part.stat().st_size for part in cache.rglob("*.part")]


def whole(cache):
    """The names of the files that are there, each with the content that its digest promises."""
    files = list(cache.glob("models--*/snapshots/*/*"))
    assert all(hub.genuine(file, file.resolve().name) for file in files)
    assert not list(cache.rglob("*.incomplete"))
    return {file.name for file in files}


def into_cache(folder, name, cache):
    """Lay a model down in the local cache as a download does where there are no links."""
    repository = cache / f"models--{name}"
    shutil.copytree(folder, repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    return repository


def other_processes(n, server, cache):
    """Pythons of their own that fetch "gpt2" from the hub into the cache, all at the same time."""
    settings = {"HF_ENDPOINT": server.address, "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "0"}
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE) | {
        "text": True,
        "cwd": ROOT,
    }
    command = [sys.executable, "-c", FETCH]
    processes = [subprocess.Popen(command, env=os.environ | settings, **pipes) for _ in range(n)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    return processes


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


# ---- the table


NOTHING, SMALL = (
    set(),
    {"config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.json"},
)
UNKNOWN = "X has no model of that name, or shows it only to some"
LATER = "X answered with error 429 and wants to be asked again in 7 seconds"
SILENCE = "the download brought nothing for 5 seconds"
CHANGED = "the bytes of config.json are not those that X promised: they were deleted"


def test_the_limits_are_those_promised():
    assert (hub.ANSWER_SECONDS, hub.STALL_SECONDS) == (3, 5)


@pytest.mark.parametrize(
    ("fault", "reason", "limit", "kept", "is_part_kept"),
    [
        ("silent", "X did not answer within 3 seconds", 3, NOTHING, False),
        (401, UNKNOWN, None, NOTHING, False),
        (404, "X answered with error 404", None, NOTHING, False),
        (429, LATER, None, NOTHING, False),
        (500, "X answered with error 500", None, NOTHING, False),
        ("file 401", UNKNOWN, None, NOTHING, False),
        ("file 429", LATER, None, NOTHING, False),
        ("file 500", "X answered with error 500", None, NOTHING, False),
        ("first byte", SILENCE, 5, SMALL, False),
        ("stall", SILENCE, 5, SMALL, True),
        ("always cut", "the download failed", None, SMALL, True),
        ("changed", CHANGED, None, NOTHING, False),
        ("gone", "the download failed", None, SMALL - {"tokenizer_config.json"}, False),
    ],
)
def test_a_fault_is_told_in_time_and_leaves_the_cache_sound(
    fault, reason, limit, kept, is_part_kept, serve, cache, models, capsys, waited
):
    server = serve(fault)
    in_vain = waited(server.fell_silent)
    assert load_causal_lm("gpt2", fallback="pocket-gpt2").name == "pocket-gpt2"
    if limit:  # a little of it may have passed when the wait begins
        (seconds,) = in_vain
        assert limit - 1 < seconds <= limit
    else:
        assert not in_vain
    printed = capsys.readouterr().out.replace(server.address, "X")
    assert printed.startswith("'gpt2' is not available: it is not in the local cache, and ")
    assert printed.endswith(". Using 'pocket-gpt2' instead.\n")
    assert reason in printed
    assert printed.count("\n") == 1
    assert whole(cache) == kept
    size = (models["gpt2"] / "model.safetensors").stat().st_size
    if is_part_kept:
        (come,) = parts(cache)
        assert 0 < come < size
    else:
        assert not sum(parts(cache))

    server.fault, come = "", sum(parts(cache))
    server.fell_silent.clear()
    server.ranges.clear()
    assert load_causal_lm("gpt2").context == 1024
    assert whole(cache) == {file.name for file in models["gpt2"].iterdir()}
    assert [r for r in server.ranges if r] == [f"bytes={come}-"] * is_part_kept
    assert not parts(cache)


def test_a_limit_is_real_time(serve, monkeypatch):
    serve("silent")
    monkeypatch.setattr(hub, "ANSWER_SECONDS", 0.3)
    started = time.monotonic()
    with pytest.raises(ModelNotAvailable, match=r"did not answer within 0\.3 seconds"):
        load_causal_lm("gpt2")
    assert time.monotonic() - started >= 0.3


def test_a_hub_that_refuses_is_given_up_at_once(cache, monkeypatch, capsys, waited):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", address)  # nobody listens there any more
    in_vain = waited(threading.Event())
    with pytest.raises(ModelNotAvailable, match="Connection refused"):
        load_masked_lm("bert-base-uncased")
    assert load_masked_lm("bert-base-uncased", fallback="pocket-bert").name == "pocket-bert"
    assert "Connection refused" in capsys.readouterr().out
    assert not in_vain


def test_without_a_fallback_the_message_ends_with_a_remedy(serve):
    serve(401)
    with pytest.raises(
        ModelNotAvailable, match=r"Did you mean 'gpt2' .*\? Check the spelling, .* 'pocket-gpt2'\.$"
    ):
        load_causal_lm("gpt2-tiny")
    serve(500)
    with pytest.raises(
        ModelNotAvailable, match=r"run `python -m helpers prefetch gpt2` \(548 MB\) once\. .*"
    ):
        load_causal_lm("gpt2")


def test_a_cut_in_the_middle_is_mended_on_the_way(serve, cache):
    server = serve("cut")
    assert load_causal_lm("gpt2").name == "gpt2"
    (range_asked,) = filter(None, server.ranges)
    size = (cache / f"models--gpt2/snapshots/{COMMIT}/model.safetensors").stat().st_size
    assert 0 < int(range_asked.removeprefix("bytes=").removesuffix("-")) <= size // 2


def test_a_part_that_is_longer_than_the_file_is_not_gone_on_from(serve, cache, waited):
    server = serve("stall")
    waited(server.fell_silent)
    load_causal_lm("gpt2", fallback="pocket-gpt2")
    (part,) = cache.rglob("*.part")
    part.write_bytes(part.read_bytes() + bytes(10**6))
    server.fault = ""
    server.fell_silent.clear()
    assert load_causal_lm("gpt2").name == "gpt2"
    assert "model.safetensors" in whole(cache)


def test_a_spoilt_part_is_thrown_away(serve, cache, waited):
    server = serve("stall")
    waited(server.fell_silent)
    load_causal_lm("gpt2", fallback="pocket-gpt2")
    (part,) = cache.rglob("*.part")
    part.write_bytes(bytes(part.stat().st_size))
    server.fault = ""
    server.fell_silent.clear()
    with pytest.raises(
        ModelNotAvailable, match=r"model\.safetensors are not those .* Load it again\."
    ):
        load_causal_lm("gpt2")
    assert not parts(cache)
    assert load_causal_lm("gpt2").name == "gpt2"


def test_redirects_are_followed(serve, cache):
    server = serve("redirect")
    assert load_causal_lm("gpt2").name == "gpt2"
    assert any(path.startswith("/elsewhere/its-owner/gpt2/") for path in server.requests)
    assert "model.safetensors" in whole(cache)


# ---- what is downloaded


@pytest.mark.parametrize("name", [*list(KNOWN_MODELS)[2:5], "somebody/llama"])
def test_causal_models_come_and_write(name, serve):
    from helpers.generation import generate_text, stream_text

    serve()
    lm = load_causal_lm(name)
    text = generate_text(lm, "the cat", 8, seed=0)
    assert text == "the cat" + "".join(stream_text(lm, "the cat", 8, seed=0))


@pytest.mark.parametrize(
    "name", ["bert-base-uncased", "roberta-base", "distilbert-base-uncased", "albert-base-v2"]
)
def test_masked_models_come_and_fill(name, serve):
    from helpers.fill_mask import fill_mask

    serve()
    lm = load_masked_lm(name)
    assert len(fill_mask(lm, "the [MASK] sat on the mat.")) == 5


def test_a_model_is_downloaded_once(serve, own_processes, capfd):
    bundled = load_causal_lm("pocket-gpt2")
    server = serve(models={"gpt2": checkpoints.on_disk("pocket-gpt2")})
    lm = load_causal_lm("gpt2")
    bar = capfd.readouterr().err
    asked = len(server.requests)
    assert load_causal_lm("gpt2").name == "gpt2"
    assert len(server.requests) == asked
    assert "gpt2:" in bar
    assert "100%" in bar
    pairs = zip(lm.model.parameters(), bundled.model.parameters(), strict=True)
    assert all(torch.equal(ours, theirs) for ours, theirs in pairs)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (
            "somebody/pickled",
            "has no complete safetensors weights. Pickle is not opened: it can run any program.",
        ),
        ("somebody/headless", "was not trained for this: it lacks cls.predictions"),
        ("somebody/own-code", "needs program code of its own, never run here."),
    ],
)
def test_what_must_not_be_opened_is_refused(name, reason, serve, cache):
    server = serve()
    load = load_masked_lm if name == "somebody/headless" else load_causal_lm
    for _ in range(2):
        with pytest.raises(ModelNotAvailable) as caught:
            load(name)
        assert reason in str(caught.value)
        assert "Choose another one" in str(caught.value)
    assert not any(path.endswith((".bin", ".py")) for path in server.requests)


@pytest.mark.parametrize(
    ("load", "name", "kind"),
    [
        (load_causal_lm, "somebody/bert", "masked"),
        (load_masked_lm, "somebody/gpt", "causal"),
    ],
)
def test_of_the_wrong_kind_only_the_configuration_comes(load, name, kind, serve, cache, models):
    server = serve(models={"somebody/bert": models["roberta-base"], "somebody/gpt": models["gpt2"]})
    with pytest.raises(ValueError, match=f"is a {kind} model"):
        load(name, fallback="pocket-gpt2" if load is load_causal_lm else "pocket-bert")
    assert whole(cache) == {"config.json"}
    assert not any("safetensors" in path or "tokenizer" in path for path in server.requests)


def test_a_hub_without_a_configuration_is_explained(serve, tmp_path):
    (tmp_path / "empty").mkdir()
    serve(models={"gpt2": tmp_path / "empty"})
    with pytest.raises(ModelNotAvailable, match="the hub has no configuration of it"):
        load_causal_lm("gpt2")


def test_a_model_that_came_by_another_way_without_its_tokenizer_is_completed(serve, cache, models):
    repository = into_cache(models["gpt2"], "gpt2", cache)
    for file in repository.rglob("tokenizer*"):
        file.unlink()
    server = serve()
    assert load_causal_lm("gpt2").tokenizer("the cat").input_ids
    assert not any("safetensors" in path for path in server.requests)


# ---- interruptions, neighbours


@pytest.mark.parametrize("end", ["SIGINT", "SIGKILL"])
def test_an_interrupted_download_is_gone_on_with(end, serve, cache):
    server = serve("slow")
    (process,) = other_processes(1, server, cache)
    until(lambda: sum(parts(cache)) > 65_536)
    process.send_signal(getattr(signal, end))
    _, err = process.communicate(timeout=60)
    assert process.returncode == -getattr(signal, end)
    assert ("KeyboardInterrupt" in err) == (end == "SIGINT")
    server.fault = ""
    # waits for what the killed process may have left running
    assert load_causal_lm("gpt2").name == "gpt2"
    assert any(server.ranges)
    assert "model.safetensors" in whole(cache)
    assert not parts(cache)


def test_two_processes_load_the_same_model_at_once(serve, cache):
    server = serve("slow")
    both = other_processes(2, server, cache)
    results = [process.communicate(timeout=120) for process in both]
    for process, (_, err) in zip(both, results, strict=True):
        assert process.returncode == 0, err
    assert sum("another process is downloading it" in err for _, err in results) == 1
    asked = [path for path in server.requests if "model.safetensors" in path]
    assert len(asked) == 2  # a question and an answer
    assert load_causal_lm("gpt2").name == "gpt2"
    assert "model.safetensors" in whole(cache)


def test_an_interruption_falls_back(monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(hub, "fetch", interrupted)
    assert load_causal_lm("gpt2", fallback="pocket-gpt2").name == "pocket-gpt2"
    assert (
        capsys.readouterr().out == "Loading 'gpt2' was interrupted. Using 'pocket-gpt2' instead.\n"
    )
    with pytest.raises(KeyboardInterrupt):
        load_causal_lm("gpt2")


# ---- the cache folder


def test_the_cache_needs_no_network(cache, models, monkeypatch):
    into_cache(models["gpt2"], "gpt2", cache)
    monkeypatch.setattr(hub, "fetch", None)
    assert load_causal_lm("gpt2").name == "gpt2"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert load_causal_lm("gpt2").name == "gpt2"


def test_a_damaged_cache_names_the_folder_to_delete(serve, cache, models):
    repository = into_cache(models["gpt2"], "gpt2", cache)
    (repository / "snapshots" / COMMIT / "model.safetensors").write_bytes(b"12345678")
    serve()
    with pytest.raises(ModelNotAvailable, match=f"Delete {repository} and load the model again"):
        load_causal_lm("gpt2")
    shutil.rmtree(repository)
    assert load_causal_lm("gpt2").name == "gpt2"


def test_offline_means_no_attempt(cache, monkeypatch, capsys):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub.subprocess, "Popen", None)
    with pytest.raises(
        ModelNotAvailable, match=r"HF_HUB_OFFLINE is set.*prefetch gpt2` \(548 MB\)"
    ):
        load_causal_lm("gpt2")
    assert load_causal_lm("gpt2", fallback="pocket-gpt2").name == "pocket-gpt2"
    printed = capsys.readouterr().out
    assert printed == (
        "'gpt2' is not available: it is not in the local cache, and HF_HUB_OFFLINE is set, "
        "so nothing is downloaded. Using 'pocket-gpt2' instead.\n"
    )


# ---- nothing is downloaded unasked


def test_without_leave_to_download_no_hub_is_asked(serve):
    server = serve()
    with pytest.raises(ModelNotAvailable, match="no download was asked for"):
        load_causal_lm("gpt2", download=False)
    assert load_masked_lm("bert", fallback="pocket-bert", download=False).name == "pocket-bert"
    assert not server.requests


def test_a_model_in_the_cache_needs_no_download(cache, models):
    into_cache(models["gpt2"], "gpt2", cache)
    assert load_causal_lm("gpt2", download=False).name == "gpt2"


def test_a_page_downloads_when_the_button_is_pressed(serve):
    server = serve()
    view = RealModel("gpt2", "the cat")
    assert not server.requests
    assert (view.lm, "not on this machine" in view.status.value) == (None, True)
    view.children[1].click()
    assert server.requests
    assert view.lm.name == "gpt2"
    assert list(view.children) == [view.explorer]
    assert view.explorer.prompt.value == "the cat"


def test_a_page_that_ran_with_the_model_shows_it(cache, models):
    into_cache(models["bert-base-uncased"], "bert-base-uncased", cache)
    view = RealModel("bert-base-uncased", "the [MASK] sat")
    assert view.still is view.explorer.still
    assert "words to the right" in view.still.text


def test_a_download_that_fails_leaves_the_button(serve):
    serve(503)
    view = RealModel("gpt2", "the cat")
    view.fetch()
    assert "is not available" in view.status.value
    assert not view.children[1].disabled


def test_a_damaged_model_in_the_cache_is_told_at_once(cache, models):
    repository = into_cache(models["gpt2"], "gpt2", cache)
    (repository / "snapshots" / COMMIT / "model.safetensors").write_bytes(b"12345678")
    assert "load the model again" in RealModel("gpt2", "the cat").status.value


def test_a_file_where_the_cache_folder_should_be_is_explained(serve, cache):
    cache.write_text("in the way")
    serve()
    with pytest.raises(
        ModelNotAvailable, match=rf"folder {cache} cannot be written \(.*\)\. Free some space"
    ):
        load_causal_lm("gpt2")


@pytest.mark.parametrize(
    ("mount", "reason"),
    [
        ("-t tmpfs -o ro,size=9m", "Read-only file system"),
        ("-t tmpfs -o size=99k", "0 MB are to come, 0 MB are free"),
    ],
)
def test_a_folder_that_takes_no_model_is_explained(mount, reason, serve, cache):
    server = serve()
    cache.mkdir()
    inside = [
        "unshare",
        "--mount",
        "--map-root-user",
        "sh",
        "-c",
    ]  # a disk that only the process below sees
    if (
        not shutil.which("unshare")
        or subprocess.run([*inside, f"mount {mount} none {cache}"]).returncode
    ):
        pytest.skip("this machine lets nobody mount a small disk")
    settings = {"HF_ENDPOINT": server.address, "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "0"}
    transfer = f"{sys.executable} -m helpers._plumbing.hub gpt2 '*.json' '*.safetensors'"
    done = subprocess.run(
        [*inside, f"mount {mount} none {cache} && exec {transfer}"],
        env=os.environ | settings,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    said = done.stdout.splitlines()[-1]
    assert said == f"unwritable the cache folder {cache} cannot be written ({reason})", done


def test_a_disk_that_fills_up_on_the_way_is_explained(serve, cache, monkeypatch, capsys):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    serve()
    monkeypatch.setattr(hub, "http_get", full)
    hub._transfer("gpt2", "*.json")  # what otherwise runs in a process of its own
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"unwritable the cache folder {cache} cannot be written ({os.strerror(errno.ENOSPC)})"
    )
    assert whole(cache) == set()


def test_without_links_files_stand_in_the_snapshot_itself(serve, cache, monkeypatch):
    def refused(*_):
        raise OSError(1314, "A required privilege is not held by the client")

    serve()
    monkeypatch.setattr(Path, "symlink_to", refused)
    hub._transfer("gpt2", "*.json", "*.safetensors")
    monkeypatch.setattr(hub, "fetch", None)  # nothing is left to come
    assert load_causal_lm("gpt2").name == "gpt2"
    assert not list(cache.glob("models--gpt2/blobs/*"))


def test_a_transfer_that_cannot_start_is_reported(cache, own_processes, monkeypatch):
    monkeypatch.setattr(hub, "START_SECONDS", 0)
    with pytest.raises(ModelNotAvailable, match="Python did not start"):
        load_causal_lm("gpt2")


# ---- prefetch


def test_prefetch_downloads_verifies_and_prints_what_the_room_needs(serve, cache, models, capsys):
    serve()
    assert command_line.main(["prefetch", "gpt2", "bert-base-uncased"]) == 0
    lines = capsys.readouterr().out.splitlines()
    size = sum(file.stat().st_size for file in models["gpt2"].iterdir()) / 1e6
    assert lines[0] == f"gpt2: {size:,.1f} MB in {cache}/models--gpt2/snapshots/{COMMIT}"
    assert lines[1].startswith("bert-base-uncased: ")
    assert lines[-2:] == [f"export HF_HUB_CACHE={cache}", "export HF_HUB_OFFLINE=1"]
    assert {"model.safetensors", "tokenizer.json"} <= whole(cache)

    damaged = (cache / f"models--gpt2/snapshots/{COMMIT}/model.safetensors").resolve()
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")  # as long as before: no outline can tell
    assert command_line.main(["prefetch", "gpt2"]) == 2
    changed = "model.safetensors (it has changed since it was downloaded)"
    remedy = f"Delete {cache}/models--gpt2 and"
    assert f"{changed}. {remedy}" in capsys.readouterr().err


def test_prefetch_of_nothing_that_is_there_says_so(serve, capsys):
    serve(401)
    assert command_line.main(["prefetch", "gpt-2"]) == 2
    assert "Did you mean 'gpt2'" in capsys.readouterr().err


# ---- notebooks on models of the hub


def bound_and_used(source):
    """The names that a cell binds, and those it uses without having bound them."""
    nodes = list(ast.walk(ast.parse(source)))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    bound = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    bound |= {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    imports = [node for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom))]
    bound |= {alias.asname or alias.name.partition(".")[0] for it in imports for alias in it.names}
    return bound, {node.id for node in names} - bound


def with_what_they_need(cells):
    """The cells of the sections "real-...", and the earlier ones that bind a name they use."""
    chosen, wanted = [], set()
    for cell in reversed([cell for cell in cells if cell.cell_type == "code"]):
        if cell.id == "setup":
            continue
        bound, used = bound_and_used(cell.source)
        if cell.id.startswith("real-") or bound & wanted:
            chosen.append(cell)
            wanted = wanted - bound | used
    return chosen[::-1]


@pytest.mark.parametrize(
    ("notebook", "name"),
    [
        ("05_generate_text_with_gpt2", "gpt2"),
        ("06_fill_mask_with_bert", "bert-base-uncased"),
    ],
)
def test_the_sections_on_real_models_run_on_what_they_download(
    notebook, name, serve, cache, capsys
):
    """The weights are random: that every cell runs is shown here, not that the model writes or
    reads well.
    """
    page = nbformat.read(ROOT / "notebooks" / f"{notebook}.ipynb", as_version=4)
    server = serve()
    shell = InteractiveShell()
    cells = with_what_they_need(page.cells)
    for cell in cells:
        shell.run_cell(cell.source).raise_error()
    assert not server.requests, "nothing is downloaded unasked"
    shell.user_ns["real"].fetch()  # what the button does
    assert f"/{name}/resolve/main/model.safetensors" in server.requests
    capsys.readouterr()
    for cell in cells:
        shell.run_cell(cell.source).raise_error()
    assert "Using 'pocket-" not in capsys.readouterr().out
    assert shell.user_ns["real"].lm.name == name
    assert "model.safetensors" in whole(cache)


# ---- more kinds of faults


def test_a_cache_of_two_commits_loads(serve, cache, models):
    """The tokenizer is cached at an older commit than the hub's: after the whole download it was
    "the hub has no configuration of it". The model loads; the old commit is kept.
    """
    old = "a" * 40
    for files in (("tokenizer.json", "tokenizer_config.json"), ("config.json", "tokenizer.json")):
        repository = cache / "models--gpt2"
        shutil.rmtree(repository, ignore_errors=True)
        (repository / "snapshots" / old).mkdir(parents=True)
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text(old)
        for file in files:
            shutil.copy(models["gpt2"] / file, repository / "snapshots" / old)
        serve()
        assert load_causal_lm("gpt2").context == 1024
        assert (repository / "refs" / "main").read_text() == COMMIT
        assert {path.name for path in (repository / "snapshots" / old).iterdir()} == set(files)
        assert load_causal_lm("gpt2").context == 1024


def test_a_newer_commit_that_is_whole_already_is_used(serve, cache, models):
    """All files of the hub's commit are cached, and an older, broken commit is the one in use."""
    repository = into_cache(models["gpt2"], "gpt2", cache)
    (repository / "snapshots" / ("a" * 40)).mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    server = serve()
    assert load_causal_lm("gpt2").context == 1024
    assert not any("safetensors" in path for path in server.requests)


@pytest.mark.parametrize("missing", ["merges.txt", "vocab.json"])
def test_half_a_tokenizer_in_the_cache_is_completed(missing, serve, cache, models, tmp_path):
    """vocab.json without merges.txt counted as whole, and was never completed."""
    folder = shutil.copytree(models["gpt2"], tmp_path / "slow")
    bpe = json.loads((folder / "tokenizer.json").read_text())["model"]
    (folder / "vocab.json").write_text(json.dumps(bpe["vocab"]))
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in bpe["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]))
    (folder / "tokenizer.json").unlink()
    repository = into_cache(folder, "gpt2", cache)
    (repository / "snapshots" / COMMIT / missing).unlink()
    server = serve(models={"gpt2": folder})
    lm = load_causal_lm("gpt2")
    assert lm.tokenizer.decode(lm.tokenizer("the cat").input_ids) == "the cat"
    assert not any("safetensors" in path for path in server.requests)


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_certificates_that_are_not_there(content, serve, own_processes, monkeypatch, tmp_path):
    """SSL_CERT_FILE names a file that is gone: "the cache cannot be written". Now the variable is
    named, at once; nothing is changed.
    """
    serve()
    path = tmp_path / "certificates.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with pytest.raises(ModelNotAvailable, match=f"SSL_CERT_FILE names {path}") as caught:
        load_causal_lm("gpt2")
    assert "cannot be written" not in str(caught.value)
    assert "prefetch" not in str(caught.value)


@pytest.mark.parametrize("token", ["hf_expired", "hf_wrong"])
def test_a_token_that_is_not_accepted(token, serve, monkeypatch):
    """An expired HF_TOKEN was told as "run prefetch". Now the token is named, and never shown."""
    serve(401)
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(ModelNotAvailable, match="does not accept your token") as caught:
        load_causal_lm("gpt2")
    assert "prefetch" not in str(caught.value)
    assert "unset HF_TOKEN" in str(caught.value)
    assert token not in str(caught.value)


@pytest.mark.parametrize("variable", hub.OFFLINE)
def test_the_variable_that_forbids_downloads_is_the_one_named(variable, cache, monkeypatch):
    """TRANSFORMERS_OFFLINE was told as "HF_HUB_OFFLINE is set"."""
    for name in hub.OFFLINE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelNotAvailable, match=f"{variable} is set.* Unset {variable}") as caught:
        load_causal_lm("gpt2")
    (other,) = set(hub.OFFLINE) - {variable}
    assert other not in str(caught.value)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="PYTHONSAFEPATH came with Python 3.11")
@pytest.mark.parametrize("names", [["helpers.py", "tqdm.py", "json.py"], ["helpers/__init__.py"]])
def test_a_working_folder_with_modules_of_its_own(
    names, serve, own_processes, monkeypatch, tmp_path
):
    """A foreign helpers.py in the working folder: "`__path__` attribute not found". It downloads,
    and nothing of that folder is run.
    """
    serve()
    for name in names:
        foreign = tmp_path / "project" / name
        foreign.parent.mkdir(parents=True, exist_ok=True)
        foreign.write_text(f"raise SystemExit('{name} was run')")
    monkeypatch.chdir(tmp_path / "project")
    assert load_causal_lm("gpt2").context == 1024


def test_prefetch_downloads_beside_a_folder_of_the_same_name(
    serve, cache, models, monkeypatch, tmp_path, capsys
):
    """`prefetch gpt2` verified the folder gpt2/ and downloaded nothing. Both are kept."""
    server = serve()
    monkeypatch.chdir(tmp_path)
    shutil.copytree(models["distilgpt2"], tmp_path / "gpt2")
    assert command_line.main(["prefetch", "gpt2"]) == 0
    assert f"MB in {cache}" in capsys.readouterr().out
    assert "model.safetensors" in whole(cache)
    assert any("gpt2/resolve" in path for path in server.requests)


@pytest.mark.parametrize("folder", ["a b", "it's", "$HOME", 'say "hi"', "a;b"])
def test_prefetch_quotes_what_is_to_be_pasted(folder, serve, monkeypatch, tmp_path, capsys):
    """`HF_HUB_CACHE=/a b/hub` broke when pasted, and no program saw it."""
    serve()
    cache = tmp_path / folder
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    assert command_line.main(["prefetch", "pocket-gpt2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    program = """sh -c 'printf %s "$HF_HUB_CACHE|$HF_HUB_OFFLINE"'"""
    script = "\n".join([*lines[-2:], program])
    if os.name == "posix":
        said = subprocess.run(["sh", "-c", script], capture_output=True, text=True)
        assert said.stdout == f"{cache}|1"
    (powershell,) = [line for line in lines if line.startswith("$env:")]
    quoted = powershell.removeprefix("$env:HF_HUB_CACHE='").partition("'; $env")[0]
    assert quoted.replace("''", "'") == str(cache)


def test_a_quantised_model_is_refused_before_its_weights_come(serve, cache, models, tmp_path):
    """An ImportError after the whole download. Now a sentence from the configuration alone."""
    folder = shutil.copytree(models["gpt2"], tmp_path / "small")
    config = json.loads((folder / "config.json").read_text())
    config |= {"quantization_config": {"quant_method": "gptq", "bits": 4}}
    (folder / "config.json").write_text(json.dumps(config))
    server = serve(models={"somebody/small": folder})
    with pytest.raises(ModelNotAvailable, match="is quantised"):
        load_causal_lm("somebody/small")
    assert not any("safetensors" in path for path in server.requests)
