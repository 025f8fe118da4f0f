"""Who holds a port or a lock file, for the sentence that says so. Ports are looked up in /proc: elsewhere nobody is named."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from hub.sdk.json import dumps, loads

PROC = Path("/proc")
LOCK_NAME = "hub.lock"
_LISTENING = "0A"  # the state in /proc/net/tcp


@dataclass(frozen=True, slots=True)
class Holder:
    """A process. `folder` is the data directory of a hub, `since` the UTC time at which it began."""

    pid: int
    name: str
    since: str
    folder: str = ""

    def __str__(self) -> str:
        folder = f"data directory {self.folder}, " if self.folder else ""
        return f"process {self.pid} ({self.name}, {folder}since {self.since})"


def write_holder(file: int, name: str) -> None:
    """Say in a lock file that this process holds it."""
    told = {"pid": os.getpid(), "name": name, "since": _shown(datetime.now(UTC))}
    os.ftruncate(file, 0)
    os.pwrite(file, dumps(told), 0)


def read_holder(path: Path) -> Holder | None:
    """Who last said in a lock file that it holds it, if that process is there."""
    try:
        holder = Holder(**loads(path.read_bytes()))
        os.kill(holder.pid, 0)
    except PermissionError:
        return holder
    except (OSError, ValueError, TypeError):
        return None
    return holder


def port_holder(port: int) -> Holder | None:
    """Who listens on a port of this machine. Of several processes that share it the one that started the others."""
    parents = dict(_processes(_sockets(port)))
    first = next((pid for pid, parent in parents.items() if parent not in parents), None)
    if first is None:
        return None
    with suppress(OSError, ValueError, IndexError):
        return _hub(first) or Holder(first, (PROC / str(first) / "comm").read_text().strip(), _started_at(first))
    return None


def _sockets(port: int) -> set[str]:
    """The listening sockets of a port, as `/proc/<pid>/fd` links to them."""
    found = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (PROC / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    found.add(f"socket:[{fields[9]}]")
    return found


def _processes(sockets: set[str]) -> Iterator[tuple[int, int]]:
    """Processes that have one of them open, each with its parent."""
    for folder in PROC.glob("[0-9]*") if sockets else ():
        with suppress(OSError, ValueError, IndexError):
            if sockets & set(_open_files(int(folder.name)).values()):
                yield int(folder.name), int(_stat(int(folder.name))[1])


def _hub(pid: int) -> Holder | None:
    """What a hub on SQLite says of itself in the lock file that it has open."""
    for path in _open_files(pid).values():
        if path.endswith(f"/{LOCK_NAME}") and (holder := read_holder(Path(path))):
            return replace(holder, folder=str(Path(path).parent))
    return None


def _open_files(pid: int) -> Mapping[str, str]:
    """Number to path. Raises OSError for a process of somebody else."""
    found = {}
    for link in (PROC / str(pid) / "fd").iterdir():
        with suppress(OSError):
            found[link.name] = str(link.readlink())
    return found


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat behind the name, which may hold spaces: state, parent, ..."""
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _started_at(pid: int) -> str:
    booted_s = next(int(line.split()[1]) for line in (PROC / "stat").read_text().splitlines() if line[:5] == "btime")
    after_s = int(_stat(pid)[19]) / os.sysconf("SC_CLK_TCK")
    return _shown(datetime.fromtimestamp(booted_s + after_s, UTC))


def _shown(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
