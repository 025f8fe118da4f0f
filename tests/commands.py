"""`hub ...` for tests: each command in a process of its own, forked from one that has everything imported.

A fresh interpreter spends most of a second on imports before it begins; stories run hundreds of commands.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from tests.run import NAME, folder

ROOT = Path(__file__).resolve().parent.parent


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """What `python -m hub ARGUMENTS` does in this environment, at the root of the project. Outside a run of the tests, as
    in benchmarks, that very command."""
    if NAME not in os.environ:
        command = [sys.executable, "-m", "hub", *arguments]
        return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(_server())
            request = json.dumps({"arguments": list(arguments), "environment": dict(environment)}).encode()
            socket.send_fds(line, [len(request).to_bytes(8)], [out.fileno(), err.fileno()])
            line.sendall(request)
            code = line.recv(16)
        assert code, f"hub {' '.join(arguments)} ended without a word: {_text(err)}"
        return subprocess.CompletedProcess(["hub", *arguments], int(code), _text(out), _text(err))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


_running: list[tuple[str, subprocess.Popen[bytes]]] = []


def _server() -> str:
    """Where the process to fork from listens: one of this process, started when first asked for."""
    from tests.guards import keep

    if not _running:
        path = str(folder() / f"commands-{os.getpid()}")
        command = [sys.executable, "-m", "tests.commands", path]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        keep(process.pid)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        _running.append((path, process))
    return _running[0][0]


def end() -> None:
    """Also without this it ends with the process that started it: nobody else holds the other end of its input."""
    while _running:
        _running.pop()[1].communicate()


# ── the process to fork from ─────────────────────────────────────────────────────────────────────────────────────


class _Server(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    request_queue_size = 64
    max_children = 64


class _Command(socketserver.BaseRequestHandler):
    """In the fork."""

    def handle(self) -> None:
        size, files, _, _ = socket.recv_fds(self.request, 8, 2)
        request = json.loads(self._read(int.from_bytes(size)))
        os.environ.clear()
        os.environ.update(request["environment"])
        for standard, file in zip((1, 2), files, strict=True):
            os.dup2(file, standard)
        self.request.sendall(str(_exit_code(request["arguments"])).encode())

    def _read(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size and (part := self.request.recv(size - len(parts))):
            parts += part
        return bytes(parts)


def _exit_code(arguments: list[str]) -> int:
    from hub.cli import hub

    sys.argv = ["hub", *arguments]
    try:
        hub(prog_name="hub")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter does at its end
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _import_everything() -> None:
    import alembic.command  # noqa: F401 - imported for the forks
    import rich.table  # noqa: F401

    import hub
    from hub.registry.discovery import discover

    for module in pkgutil.walk_packages(hub.__path__, "hub."):
        if not module.name.startswith(("hub.migrations", "hub.__main__")):
            importlib.import_module(module.name)
    discover()
    gc.collect()
    gc.freeze()  # so that forks share the pages


def _serve(path: str) -> None:
    threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
    _import_everything()
    with _Server(path, _Command) as server:
        print("ready", flush=True)
        server.serve_forever(0.5)


if __name__ == "__main__":
    _serve(sys.argv[1])
