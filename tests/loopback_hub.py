"""A hub on this machine, for tests: it serves folders of models under their names, and can fail on demand.

`LoopbackHub({"gpt2": folder})` is a context manager with an `address`; `fault` is one of
    ""          answer as the hub does
    "silent"    accept connections and never answer
    "missing"   say 401, as the hub does for a name it does not know
    "busy"      say 503
    "stall"     stop in the middle of every file longer than 10,000 bytes, keeping the connection open
    "cut"       close the connection in the middle of such a file, the first time it is asked for
`requests` lists what was asked, and `asked_at` when.
"""

import hashlib
import json
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class LoopbackHub:
    def __init__(self, models=None, fault=""):
        self.models, self.fault, self.requests, self.asked_at = models or {}, fault, [], []
        self.over = threading.Event()
        self._cut = set()

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
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request):
        path = request.path.partition("?")[0]
        self.requests.append(path)
        self.asked_at.append(time.monotonic())
        if self.fault == "silent":
            self.over.wait()
        elif self.fault == "missing":
            self.send(request, 401, b"", {"X-Error-Code": "RepoNotFound"})
        elif self.fault == "busy":
            self.send(request, 503, b"")
        elif path.startswith("/api/models/"):
            folder = Path(self.models[path.removeprefix("/api/models/")])
            files = [{"rfilename": file.name, "size": file.stat().st_size} for file in sorted(folder.iterdir())]
            self.send(request, 200, json.dumps({"id": folder.name, "sha": COMMIT, "siblings": files}).encode())
        elif "/resolve/main/" in path:
            name, _, file = path.strip("/").partition("/resolve/main/")
            self.send(request, 200, (Path(self.models[name]) / file).read_bytes())
        else:
            self.send(request, 404, b"")

    def send(self, request, status, body, headers=None):
        first, last = 0, len(body)
        if (start := request.headers.get("Range", "")).startswith("bytes="):
            first, status = int(start[6:].partition("-")[0]), 206
        request.send_response(status)
        request.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        request.send_header("X-Repo-Commit", COMMIT)
        request.send_header("Content-Length", str(last - first))
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        request.end_headers()
        if request.command == "HEAD":
            return
        if len(body) > 10_000 and self.fault == "stall":
            request.wfile.write(body[first : last // 2])
            self.over.wait()
        elif len(body) > 10_000 and self.fault == "cut" and request.path not in self._cut:
            self._cut.add(request.path)
            request.wfile.write(body[first : last // 2])
            request.close_connection = True
        else:
            request.wfile.write(body[first:])
