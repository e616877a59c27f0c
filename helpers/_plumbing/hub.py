"""Bring a model's files from the hub into the local cache, or say within seconds why not.

The transfer is a process of its own, `python -m helpers._plumbing.hub NAME PATTERN...`, that
reports every piece of data. The library underneath retries a silent server for minutes; a process
that reports nothing can be ended at any moment. What has come of a file by then is kept, and the
next attempt goes on from there; a file takes its place in the cache only when it is whole and has
the digest that the hub names it by. What the files mean is the business of `checkpoints`.
"""

import errno
import hashlib
import os
import queue
import re
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path
from threading import Thread
from time import monotonic

from huggingface_hub import (
    HfApi,
    constants,
    get_hf_file_metadata,
    get_token,
    hf_hub_url,
    is_offline_mode,
    try_to_load_from_cache,
)
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.file_download import http_get  # not documented; what is keeps no part whole
from huggingface_hub.utils import WeakFileLock, build_hf_headers
from tqdm.auto import tqdm

START_SECONDS = 30  # for a process to start; the network plays no part in it
ANSWER_SECONDS = 3  # a hub that has not answered by then counts as absent
STALL_SECONDS = 5  # a download that brings no byte for so long counts as broken
OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")  # either forbids downloads
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
REMEDIES = {  # by the word that a transfer ends with
    "refused": None,
    "unknown": "Check the spelling, or log in with `hf auth login`.",
    "token": "Renew it with `hf auth login`, or unset HF_TOKEN: public models need none.",
    "certificates": "Set it right, or unset it.",
    "unwritable": "Free some space there, or set HF_HOME to another folder and restart Python.",
    "changed": "Load it again. If that fails too, something on the way here changes the data.",
}


class DownloadFailed(Exception):
    """The files could not be had: the reason, as half a sentence, and a `remedy` if known.

    Without one, a later attempt may help: `first` says what it takes.
    """

    def __init__(self, reason, remedy=None, first="With a connection,"):
        super().__init__(reason)
        self.remedy, self.first = remedy, first


def cache_of(name):
    """The folder of the local cache for a model, by the layout that huggingface_hub documents.

    Example:
        >>> cache_of("somebody/llama").name
        'models--somebody--llama'
    """
    return Path(constants.HF_HUB_CACHE).absolute() / "--".join(["models", *name.split("/")])


def cached_folder(name):
    """The folder of the local cache with the model's configuration, or None. Asks no network."""
    config = try_to_load_from_cache(name, "config.json")
    return Path(config).parent if isinstance(config, str) else None


def fetch(name, *patterns):
    """Download the files of the model's main folder that match, and return their folder.

    Draws a progress bar when more than a megabyte is to come, and waits for another process that
    downloads the same model. An interruption passes on, once the transfer is ended.

    Raises:
        DownloadFailed: downloads are forbidden, the hub is silent for 3 seconds, the transfer for
            5, or it fails.
    """
    if is_offline_mode():
        variable = next(filter(os.environ.get, OFFLINE), OFFLINE[0])
        why = f"{variable} is set, so nothing is downloaded"
        raise DownloadFailed(why, first=f"Unset {variable}, restart Python and")
    here, paths = str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")
    settings = {
        "PYTHONSAFEPATH": "1",  # a helpers.py of the working folder is not this package
        "PYTHONPATH": os.pathsep.join([here, paths] if paths else [here]),
        "HF_ENDPOINT": constants.ENDPOINT,
        "HF_HUB_CACHE": str(constants.HF_HUB_CACHE),
        "HF_HUB_DISABLE_XET": "1",  # plain HTTP, in which every byte is seen to arrive
    }
    command = [sys.executable, "-m", "helpers._plumbing.hub", name, *patterns]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "errors": "replace"}
    transfer = subprocess.Popen(command, env=os.environ | settings, text=True, **pipes)
    try:
        _follow(transfer, name)
    finally:
        transfer.kill()
        transfer.wait()
    if not (folder := cached_folder(name)):
        raise DownloadFailed("the hub has no configuration of it")
    return folder


class _Watch:
    """What is seen of a transfer: how long it may be silent yet, and its bar.

    `hear` takes a line of its output. A transfer that fails, by what it says, raises
    DownloadFailed.
    """

    def __init__(self, name):
        self.name, self.bar, self.last_words = name, tqdm(disable=True), ""
        self.allow(START_SECONDS, "Python did not start")

    def allow(self, seconds, otherwise):
        self.deadline, self.silence = monotonic() + seconds, otherwise

    def hear(self, line):
        word, _, rest = line.strip().partition(" ")
        if word == "asking":
            slow = f"{constants.ENDPOINT} did not answer within {ANSWER_SECONDS} seconds"
            self.allow(ANSWER_SECONDS, slow)
        elif word in ("waiting", "total", "bytes"):
            self.allow(STALL_SECONDS, f"the download brought nothing for {STALL_SECONDS} seconds")
            self.draw(word, rest)
        elif word in REMEDIES:
            raise DownloadFailed(rest, REMEDIES[word])
        else:  # of a traceback the last line names the error
            self.last_words = re.sub(r"^[a-z_0-9.]+[.]", "", line.strip()) or self.last_words

    def draw(self, word, rest):
        if word == "total":
            size, small = {"total": int(rest), "unit": "B", "unit_scale": True}, 1_000_000
            self.bar.close()
            self.bar = tqdm(desc=self.name, disable=int(rest) < small, **size)
        elif word == "waiting" and self.bar.disable:
            said = f"{self.name}: another process is downloading it, for {{elapsed}} by now"
            self.bar = tqdm(bar_format=said)
        self.bar.update(int(rest) if word == "bytes" else 0)
        self.bar.refresh()


def _follow(transfer, name):
    """Watch a transfer to its end, drawing the bar. Raises DownloadFailed where it fails."""
    lines, watch = queue.Queue(), _Watch(name)

    def pass_on():
        with transfer.stdout as output:
            for line in output:
                lines.put(line)
        lines.put("")

    Thread(target=pass_on, daemon=True).start()
    try:
        while line := lines.get(timeout=max(0, watch.deadline - monotonic())):
            watch.hear(line)
    except queue.Empty:
        why = f" ({watch.last_words})" if "rror" in watch.last_words else ""
        raise DownloadFailed(watch.silence + why) from None
    finally:
        watch.bar.close()
    if transfer.wait():
        raise DownloadFailed(f"the download failed ({watch.last_words})")


class _Reporter(tqdm):
    """Stands in for the library's progress bar and prints the number of bytes instead."""

    def __init__(self, *_, **__):
        super().__init__(disable=True)

    def update(self, n=1):
        print("bytes", n, flush=True)


def _transfer(name, *patterns):
    """What the other process does: download the files that match and are missing."""
    constants.DOWNLOAD_CHUNK_SIZE = 2**16  # with the usual 10 MB, slow would look like broken
    print("asking", flush=True)
    try:
        model = HfApi().model_info(name, files_metadata=True)
    except HfHubHTTPError as error:
        return print(_refusal(error))
    except OSError as error:  # nothing has been written yet: no connection could be made
        if not (variable := next(filter(os.environ.get, CERTIFICATES), "")):
            raise
        named = f"{variable} names {os.environ[variable]}, which holds no certificates"
        return print(f"certificates {named} ({error.strerror or error})")
    sizes = {file.rfilename: file.size for file in model.siblings if "/" not in file.rfilename}
    wanted = [file for pattern in patterns for file in sizes if fnmatch(file, pattern)]
    try:
        _bring_missing(name, {file: sizes[file] for file in wanted}, model.sha)
    except HfHubHTTPError as error:
        print(_refusal(error))
    except OSError as error:
        if error.errno is None:  # not the system's: the library raises such, too
            raise
        cache = constants.HF_HUB_CACHE
        print(f"unwritable the cache folder {cache} cannot be written ({error.strerror})")


def _refusal(error):
    """The line that tells of a hub's refusal."""
    hub, status = constants.ENDPOINT, error.response.status_code
    if status == 401 and get_token() and not isinstance(error, GatedRepoError):
        return f"token {hub} does not accept your token: it has expired, or is mistyped"
    if isinstance(error, RepositoryNotFoundError):
        only = "or shows it only to some who are logged in"
        return f"unknown {hub} has no model of that name, {only}"
    wait = error.response.headers.get("Retry-After")
    again = f" and wants to be asked again in {wait} seconds" if wait else ""
    return f"refused {hub} answered with error {status}{again}"


def _bring_missing(name, sizes, commit):
    """Download what the cache lacks of a commit's {file: size}, when no other process does so."""
    home = cache_of(name)
    for folder in ("blobs", "refs"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    with _alone(home / "transfer.lock"):
        here = {file: try_to_load_from_cache(name, file, revision=commit) for file in sizes}
        missing = [file for file, path in here.items() if not isinstance(path, str)]
        total = sum(sizes[file] or 0 for file in missing)
        begun = sum(part.stat().st_size for part in home.glob("blobs/*.part"))
        _check_space(home, total - begun)
        print("total", total, flush=True)
        for file in missing:
            _bring(name, file, sizes[file], home)
        if sizes and not missing:  # an older commit may be the one in use
            (home / "refs" / "main").write_text(commit)


def _check_space(cache, needed):
    if needed > (free := shutil.disk_usage(cache).free):
        why = f"{needed / 1e6:,.0f} MB are to come, {free / 1e6:,.0f} MB are free"
        raise OSError(errno.ENOSPC, why)


@contextmanager
def _alone(lock):
    """Wait until no other process downloads the same model. A lock ends with its process."""
    with ExitStack() as held:
        while True:
            with suppress(TimeoutError):
                held.enter_context(WeakFileLock(lock, timeout=1))
                break
            print("waiting", flush=True)
        yield


def _bring(name, file, size, home):
    """Download a file if its content is not there yet, and give it its place in the cache."""
    url = hf_hub_url(name, file)
    known = get_hf_file_metadata(url)
    blob, place = home / "blobs" / known.etag, home / "snapshots" / known.commit_hash / file
    part = blob.with_name(f"{known.etag}.part")
    if not blob.exists():
        _bring_content(url, size, part)
        if not genuine(part, known.etag, lambda: print("bytes 0", flush=True)):
            part.unlink()
            promised = f"are not those that {constants.ENDPOINT} promised"
            print(f"changed the bytes of {file} {promised}: they were deleted")
            sys.exit()
        part.replace(blob)
    (home / "refs" / "main").write_text(known.commit_hash)
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        place.symlink_to(os.path.relpath(blob, place.parent))
    except OSError:  # Windows gives the right to make links to few
        blob.replace(place)
    print("bytes 0", flush=True)  # a sign of life after an empty file, too


def _bring_content(url, size, part):
    """Download what a part lacks of a file of so many bytes, where an earlier attempt ended."""
    with part.open("ab") as content:
        start = content.tell()
        if size is None or start > size:
            start = content.seek(0)
            content.truncate()
        print("bytes", start, flush=True)
        whole = {"Accept-Encoding": "identity"}  # parts of a compressed file do not join
        options = {"headers": build_hf_headers() | whole, "tqdm_class": _Reporter}
        http_get(url, content, resume_size=start, expected_size=size, **options)


def genuine(file, digest, tick=lambda: None):
    """Whether a file has the digest that names it: SHA-256, or for a small file Git's SHA-1.

    Any other name says nothing of the content, and counts as a match. `tick` is called at times.
    """
    if not re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", digest):
        return True
    found = hashlib.sha256()
    if len(digest) == 40:
        found = hashlib.sha1(b"blob %d\0" % file.stat().st_size)
    with file.open("rb") as content:
        while piece := content.read(2**24):
            found.update(piece)
            tick()
    return found.hexdigest() == digest


if __name__ == "__main__":
    _transfer(*sys.argv[1:])
