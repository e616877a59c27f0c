"""What lets the tests of the hub wait less: transfers that start at once, and silence cut short.

A transfer is a Python of its own, which takes seconds to start and to import huggingface_hub.
`Transfers` has one that has imported everything, and makes a copy of it (a fork) for each transfer:
the same program, the same environment, the same pipe and the same way to end it. `Impatient` waits
for a hub only until it has fallen silent for good, and writes down how long it was told to wait.
Neither shortens the limits before that, so a busy machine runs into none.
"""

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import time

from tests.support.notebook_plugin import ROOT

QUIET = 0.5  # seconds after which all that a hub has said has come through
COMMAND = [sys.executable, "-m", "helpers._plumbing.hub"]
PROGRAM = """
import json, os, socket, sys, time, traceback
from importlib import reload
from helpers._plumbing import hub

asked = socket.socket(fileno=int(sys.argv[1]))
while True:
    message, pipes, *_ = socket.recv_fds(asked, 2**20, 1)
    if not message:
        break
    message = json.loads(message)
    if "wait" in message:
        asked.sendall(b"%d\\n" % os.waitstatus_to_exitcode(os.waitpid(message["wait"], 0)[1]))
    elif (copy := os.fork()):
        asked.sendall(b"%d\\n" % copy)
        os.close(pipes[0])
    else:
        os.dup2(pipes[0], 1)
        os.dup2(pipes[0], 2)
        os.environ.clear()
        os.environ.update(message["environment"])
        reload(hub.constants)  # they were read from the environment
        sleep = time.sleep
        time.sleep = lambda seconds: sleep(seconds / 20)  # before it tries again
        status = 0
        try:
            hub._transfer(*message["arguments"])
        except SystemExit:
            pass
        except BaseException:
            traceback.print_exc()
            status = 1
        sys.stdout.flush()
        os._exit(status)
"""


class Transfers:
    """Stands in for the module `subprocess` in `helpers._plumbing.hub`."""

    PIPE, STDOUT = subprocess.PIPE, subprocess.STDOUT

    def __init__(self):
        self._asks, theirs = socket.socketpair()
        command = [sys.executable, "-c", PROGRAM, str(theirs.fileno())]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        self._server = subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()])
        theirs.close()
        self._answers = self._asks.makefile()

    def close(self):
        self._answers.close()
        self._asks.close()
        self._server.wait()

    def ask(self, message, *pipes):
        socket.send_fds(self._asks, [json.dumps(message).encode()], pipes)
        return int(self._answers.readline())

    def Popen(self, command, env, stdout, stderr, text, errors):
        assert command[:3] == COMMAND
        assert (stdout, stderr, text) == (self.PIPE, self.STDOUT, True)
        ours, theirs = os.pipe()
        message = {"arguments": command[3:], "environment": dict(env)}
        transfer = _Transfer(self, self.ask(message, theirs), os.fdopen(ours, errors=errors))
        os.close(theirs)
        return transfer


class _Transfer:
    """What `hub` uses of a Popen."""

    def __init__(self, transfers, pid, stdout):
        self.transfers, self.pid, self.stdout, self.returncode = transfers, pid, stdout, None

    def kill(self):
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self):
        if self.returncode is None:
            self.returncode = self.transfers.ask({"wait": self.pid})
        return self.returncode


class Impatient:
    """Stands in for the module `queue` in `helpers._plumbing.hub`, beside a LoopbackHub.

    `waited` lists the times that were waited out, in seconds, as they would have been.
    """

    Empty = queue.Empty

    def __init__(self, fell_silent):
        self.waited = waited = []

        class Queue(queue.Queue):
            def get(self, timeout):
                end = time.monotonic() + timeout
                while (left := end - time.monotonic()) > 0:
                    silent = fell_silent.is_set()
                    try:
                        return super().get(timeout=min(left, QUIET if silent else 0.05))
                    except queue.Empty:
                        if silent:
                            break
                waited.append(timeout)
                raise queue.Empty

        self.Queue = Queue
