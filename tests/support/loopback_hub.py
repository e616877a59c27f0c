"""A hub on this machine, for tests: it serves folders of models under their names, and can fail on
demand.

`LoopbackHub({"gpt2": folder})` is a context manager with an `address`; after the block nobody
listens there any more. `save_models(folder)` writes small random models to serve, under the names
of real ones. `fault` is one of

    ""            answer as the hub does
    "silent"      accept connections and never answer
    429, ...      answer the first question with that status; 401 stands for an unknown name
    "file 429"    answer the question for a file so; 401 stands for a model that asks for a login
    "redirect"    answer as for gpt2: to the name with an owner, then to another server
    "first byte"  accept the request for a long file, of over 10,000 bytes, and never answer
    "stall"       stop in the middle of every long file, keeping the connection open
    "cut"         close the connection in the middle of a long file, once
    "always cut"  the same, each time
    "changed"     serve other bytes than promised, as many
    "gone"        hang up on everybody after the third file
    "slow"        take seven seconds for every long file, while that is the fault

`requests` lists what was asked for, `ranges` the parts. `fell_silent` is set once the hub will say
nothing more.
"""

import hashlib
import json
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForMaskedLM, BertTokenizer, GPT2Config, GPT2LMHeadModel

from helpers.lab import pocketweb
from tests.support.tiny_models import save_tiny

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LONG = 10_000
OWNER = "its-owner"


class LoopbackHub:
    def __init__(self, models=None, fault=""):
        self.models, self.fault = models or {}, fault
        self.requests, self.ranges = [], []
        self.over, self.fell_silent = threading.Event(), threading.Event()
        self._cut, self._served = set(), 0

    def __enter__(self):
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                with suppress(ConnectionError):
                    hub.answer(self)

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=[0.02], daemon=True).start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()

    def hold(self):
        """Never say anything again."""
        self.fell_silent.set()
        self.over.wait()

    def answer(self, request):
        path = request.path.partition("?")[0]
        self.requests.append(path)
        self.ranges.append(request.headers.get("Range", ""))
        about_file = "/resolve/main/" in path or path.startswith("/elsewhere/")
        if self.fault == "silent":
            self.hold()
        elif self.fault == "gone" and self._served == 3:
            request.close_connection = True
        elif isinstance(self.fault, int):
            self.refuse(request, self.fault, "RepoNotFound")
        elif about_file and self.fault.startswith("file "):
            self.refuse(request, int(self.fault[5:]), "GatedRepo")
        elif self.fault == "redirect" and OWNER not in path:
            name = next(name for name in self.models if f"/{name}" in path)
            self.send(
                request, 307, b"", {"Location": path.replace(f"/{name}", f"/{OWNER}/{name}", 1)}
            )
        elif path.startswith("/api/models/"):
            folder = self.models[path.removeprefix("/api/models/").removeprefix(f"{OWNER}/")]
            self.send(request, 200, json.dumps(self.description(Path(folder))).encode())
        elif about_file:
            self.serve(request, path)
        else:
            self.send(request, 404, b"")

    def refuse(self, request, status, code_of_401):
        headers = {401: {"X-Error-Code": code_of_401}, 429: {"Retry-After": "7"}}.get(status, {})
        self.send(request, status, b"", headers)

    def description(self, folder):
        files = [
            {"rfilename": file.name, "size": file.stat().st_size}
            for file in sorted(folder.iterdir())
        ]
        return {"id": folder.name, "sha": COMMIT, "siblings": files}

    def serve(self, request, path):
        """Answer with a file. It is known by SHA-256 where it is long, else by Git's SHA-1, as on
        the hub.
        """
        name, _, file = path.removeprefix("/elsewhere").strip("/").partition("/resolve/main/")
        body = (Path(self.models[name.removeprefix(f"{OWNER}/")]) / file).read_bytes()
        git = b"blob %d\0" % len(body) + body
        digest = hashlib.sha256(body) if len(body) > LONG else hashlib.sha1(git)
        known = {"ETag": f'"{digest.hexdigest()}"', "X-Repo-Commit": COMMIT}
        if self.fault == "redirect" and not path.startswith("/elsewhere"):
            linked = {
                "X-Linked-ETag": known["ETag"],
                "X-Linked-Size": str(len(body)),
                "X-Repo-Commit": COMMIT,
            }
            there = self.address.replace(
                "127.0.0.1", "localhost"
            )  # another server, to all that a client can tell
            self.send(request, 302, b"", {"Location": f"{there}/elsewhere{path}", **linked})
            return
        if self.fault == "changed":
            body = body[::-1]
        self.send(request, 200, body, known)
        self._served += request.command == "GET"

    def send(self, request, status, body, headers=None):
        path = request.path
        first, last = 0, len(body)
        if status == 200 and (start := request.headers.get("Range", "")).startswith("bytes="):
            first, status = int(start[6:].partition("-")[0]), 206
        is_long = len(body) > LONG and request.command == "GET"
        if is_long and self.fault == "first byte":
            self.hold()
        request.send_response(status)
        for name, value in {"Content-Length": str(last - first), **(headers or {})}.items():
            request.send_header(name, value)
        request.end_headers()
        body = body[first:] if request.command == "GET" else b""
        if is_long and (
            self.fault in ("stall", "always cut") or (self.fault == "cut" and path not in self._cut)
        ):
            self._cut.add(path)
            body, request.close_connection = body[: len(body) // 2], True
        n_pieces = 70 if is_long and self.fault == "slow" else 1
        for i in range(n_pieces):
            time.sleep(0.1 * (n_pieces > 1 and self.fault == "slow"))
            request.wfile.write(body[len(body) * i // n_pieces : len(body) * (i + 1) // n_pieces])
        if is_long and self.fault == "stall":
            self.hold()


def save_models(root):
    """Write small random models with the architectures, tokenizers and files of real ones. Returns
    {name: folder}.
    """
    family = {
        "gpt2": "gpt2",
        "distilgpt2": "gpt2",
        "gpt2-medium": "gpt2",
        "somebody/llama": "llama",
        "bert-base-uncased": "bert",
        "roberta-base": "roberta",
        "distilbert-base-uncased": "distilbert",
        "albert-base-v2": "albert",
        "somebody/pickled": "gpt2",
        "somebody/headless": "bert",
        "somebody/own-code": "gpt2",
    }
    folders = {
        name: save_tiny(family, Path(root) / name, seed=n)
        for n, (name, family) in enumerate(family.items())
    }
    for name in (
        "gpt2",
        "distilgpt2",
        "gpt2-medium",
    ):  # the context is as long as the real one's: notebooks need it
        GPT2LMHeadModel(
            GPT2Config.from_pretrained(folders[name], n_positions=1024)
        ).save_pretrained(folders[name])
        _rewrite(folders[name], lambda key: key.removeprefix("transformer."))
    bert = folders["bert-base-uncased"]  # and its vocabulary holds the common words
    pieces = common_pieces()
    BertTokenizer(vocab={piece: n for n, piece in enumerate(pieces)}).save_pretrained(bert)
    config = BertConfig.from_pretrained(bert, vocab_size=len(pieces), max_position_embeddings=512)
    BertForMaskedLM(config).save_pretrained(bert)
    _rewrite(bert, _name_of_2018)
    _rewrite(folders["somebody/headless"], lambda key: None if key.startswith("cls.") else key)
    (folders["somebody/pickled"] / "model.safetensors").rename(
        folders["somebody/pickled"] / "pytorch_model.bin"
    )
    config = {
        "model_type": "own",
        "auto_map": {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"},
    }
    (folders["somebody/own-code"] / "config.json").write_text(json.dumps(config))
    (folders["somebody/own-code"] / "own.py").write_text("raise SystemExit('it was run')")
    return folders


def common_pieces():
    """A vocabulary of BERT's kind with the words of PocketWeb, as a list."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    words = {word.strip().lower() for word in pocketweb.language().vocabulary}
    words |= {*letters, *",.'?!:;()-"}
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return [*special, *(f"##{c}" for c in letters), *sorted(words - {""})]


def _name_of_2018(key):
    return key.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
        "LayerNorm.bias", "LayerNorm.beta"
    )


def _rewrite(folder, renamed):
    """Rename the weights in a file; those that become None are left out."""
    weights = {
        renamed(key): tensor for key, tensor in load_file(folder / "model.safetensors").items()
    }
    weights.pop(None, None)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
