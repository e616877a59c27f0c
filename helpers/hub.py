"""Bring a model's files from the hub into the local cache, or say within seconds why that cannot be done.

The transfer is a process of its own, `python -m helpers.hub NAME PATTERN...`, that reports every piece of
data. The library underneath retries a silent server for minutes; a process that reports nothing can be ended
at any moment, and leaves no lock, no thread and no half a file behind. What the files mean is the business of
`checkpoints`.
"""

import os
import queue
import re
import signal
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from threading import Thread
from time import monotonic

from huggingface_hub import HfApi, constants, hf_hub_download, is_offline_mode, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from tqdm.auto import tqdm

START_SECONDS = 30  # for a process to start; the network plays no part in it
ANSWER_SECONDS = 3  # a hub that has not answered by then counts as absent
STALL_SECONDS = 5  # a download that brings no byte for so long counts as broken


class DownloadFailed(Exception):
    """The files could not be had. The text is the reason, as half a sentence."""


def cached_folder(name):
    """The folder of the local cache with the model's configuration, or None. The network plays no part."""
    config = try_to_load_from_cache(name, "config.json")
    return Path(config).parent if isinstance(config, str) else None


def fetch(name, *patterns):
    """Download the files of the model's main folder that match, pattern by pattern, and return their folder.

    Draws a progress bar when more than a megabyte is to come. An interruption passes on, once the transfer is ended.

    Raises:
        DownloadFailed: downloads are forbidden, the hub is silent for 3 seconds, the transfer for 5, or it fails.
    """
    if is_offline_mode():
        raise DownloadFailed("HF_HUB_OFFLINE is set, so nothing is downloaded")
    here, paths = str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")
    settings = {
        "PYTHONPATH": os.pathsep.join([here, paths] if paths else [here]),
        "HF_ENDPOINT": constants.ENDPOINT,
        "HF_HUB_CACHE": str(constants.HF_HUB_CACHE),
        "HF_HUB_DISABLE_XET": "1",  # plain HTTP, in which every byte is seen to arrive
    }
    command = [sys.executable, "-m", "helpers.hub", name, *patterns]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
    transfer = subprocess.Popen(command, env=os.environ | settings, **pipes)
    try:
        failure = _follow(transfer, name)
    finally:
        transfer.terminate()
        try:
            transfer.wait(timeout=2)  # while it removes its unfinished file
        except subprocess.TimeoutExpired:
            transfer.kill()
            transfer.wait()
    folder = cached_folder(name)
    if failure or not folder:
        raise DownloadFailed(failure or "the hub has no configuration of it")
    return folder


def _follow(transfer, name):
    """Watch a transfer to its end, drawing the bar. Returns why it failed, or an empty text."""
    lines = queue.Queue()

    def pass_on():
        with transfer.stdout as output:
            for line in output:
                lines.put(line)
        lines.put("")

    Thread(target=pass_on, daemon=True).start()
    deadline, silence = monotonic() + START_SECONDS, "Python did not start"
    bar, last_words = tqdm(disable=True), ""
    while True:
        try:
            line = lines.get(timeout=max(0, deadline - monotonic()))
        except queue.Empty:
            bar.close()
            return silence
        word, _, rest = line.strip().partition(" ")
        if word == "asking":
            deadline = monotonic() + ANSWER_SECONDS
            silence = f"{constants.ENDPOINT} did not answer within {ANSWER_SECONDS} seconds"
        elif word in ("total", "bytes"):
            deadline = monotonic() + STALL_SECONDS
            silence = f"the download brought nothing for {STALL_SECONDS} seconds"
            if word == "total":
                small = int(rest) < 1_000_000
                bar = tqdm(desc=name, total=int(rest), unit="B", unit_scale=True, disable=small)
            bar.update(int(rest) if word == "bytes" else 0)
        elif word == "refused":
            return rest
        elif line:
            last_words = line.strip() or last_words
        else:  # the end of its output; the last line of a traceback names the error
            bar.close()
            return f"the download failed ({re.sub(r'^[a-z_0-9.]+[.]', '', last_words)})" if transfer.wait() else ""


class _Reporter(tqdm):
    """Stands in for the library's progress bar and prints the number of bytes instead."""

    def __init__(self, *_, **__):
        super().__init__(disable=True)

    def update(self, n=1):
        print("bytes", n, flush=True)


def _transfer(name, *patterns):
    """What the other process does: ask which files there are, download those that match and are missing."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # unlike a kill, an exit removes an unfinished file
    constants.DOWNLOAD_CHUNK_SIZE = 2**16  # with the usual 10 MB, slow would look like broken
    print("asking", flush=True)
    try:
        there = HfApi().model_info(name, files_metadata=True).siblings
        sizes = {file.rfilename: file.size or 0 for file in there if "/" not in file.rfilename}
        wanted = dict.fromkeys(file for pattern in patterns for file in sizes if fnmatch(file, pattern))
        missing = [file for file in wanted if not isinstance(try_to_load_from_cache(name, file), str)]
        print("total", sum(sizes[file] for file in missing), flush=True)
        for file in missing:
            hf_hub_download(name, file, tqdm_class=_Reporter)
            print("bytes 0", flush=True)  # a sign of life after an empty file, too
    except RepositoryNotFoundError:
        print(f"refused {constants.ENDPOINT} has no model of that name, or it is private")
    except HfHubHTTPError as error:
        print(f"refused {constants.ENDPOINT} answered with error {error.response.status_code}")


if __name__ == "__main__":
    _transfer(*sys.argv[1:])
