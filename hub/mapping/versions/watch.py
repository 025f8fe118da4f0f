"""Compiled mappings by hash, and hot reload that keeps the last good version.

One active hash per connection is what every role follows. A process that may change it calls `refresh` every second or
two; the others only ask for the hash they read from the connection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from sqlalchemy import Engine

from hub.core.clock import Micros
from hub.core.database import read, write
from hub.mapping.inbound import Inbound, compile_inbound
from hub.mapping.language.document import Node
from hub.mapping.model import Json
from hub.mapping.outbound import Outbound, compile_outbound
from hub.mapping.versions.files import Folders
from hub.mapping.versions.store import import_version, load
from hub.mapping.versions.version import resolve
from hub.sdk.errors import MappingInvalid

_MAX_COMPILED = 64
_Stamps = tuple[tuple[str, int, int], ...]
_Key = TypeVar("_Key")
_Made = TypeVar("_Made")


class Refreshed(NamedTuple):
    """The hash a connection should follow. `error` is a sentence where the file is broken and the last good one stays."""

    hash: str
    error: str | None


class _Seen(NamedTuple):
    """What a refresh found, and the files it would read again if they changed."""

    paths: Sequence[Path]
    stamps: _Stamps
    hash: str | None
    error: str | None


class Mappings:
    """The mappings of one process."""

    def __init__(self, engine: Engine, folders: Folders) -> None:
        self._engine = engine
        self._folders = folders
        self._inbound: dict[tuple[str, str], Inbound] = {}
        self._outbound: dict[str, Outbound] = {}
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._files: dict[tuple[str, str], set[Path]] = {}

    def inbound(self, hash_: str, connection_id: str, options: Mapping[str, Json]) -> Inbound:
        """The source mapping of a version for one connection. Raises MappingInvalid if there is no such version.

        `options` may change at any time (a new currency): the generated functions are shared and stay.
        """
        known = self._inbound.get((hash_, connection_id))
        if known is not None and known.options == options:
            return known
        same = next((inbound for (other, _), inbound in self._inbound.items() if other == hash_), None)
        if same is not None:
            made = same.for_connection(connection_id, options)
        else:
            made = compile_inbound(self._document(hash_), connection_id=connection_id, options=options)
        return _kept(self._inbound, (hash_, connection_id), made)

    def outbound(self, hash_: str) -> Outbound:
        """The destination mapping of a version. Raises MappingInvalid if there is no such version."""
        known = self._outbound.get(hash_)
        return known or _kept(self._outbound, hash_, compile_outbound(self._document(hash_)))

    def refresh(self, name: str, patch: str, *, active: str, now: Micros) -> Refreshed:
        """The version a connection should follow now; files are read again only if their time or size changed.

        A new valid version is stored before its hash is returned. A broken file changes nothing: `active` stays, and
        `error` says why. Without an `active` one there is nothing to keep, and `hash` is empty.
        """
        key = (name, patch)
        seen = self._seen.get(key)
        if seen is None or seen.stamps != _stamps(seen.paths):
            seen = self._look(key, now)
        return Refreshed(seen.hash or active, seen.error)

    def _look(self, key: tuple[str, str], now: Micros) -> _Seen:
        paths = self._watched(key)
        stamps = _stamps(paths)  # before reading: a change meanwhile is then seen next time
        try:
            resolved = resolve(*key, self._folders)
        except MappingInvalid as error:
            seen = _Seen(paths, stamps, None, str(error))
        else:
            with write(self._engine) as connection:
                import_version(connection, resolved, now)
            known = self._files.get(key, set())
            self._files[key] = known | {Path(stamp.path) for stamp in resolved.files}
            if self._files[key] != known:
                paths = self._watched(key)
                stamps = _stamps(paths)
            seen = _Seen(paths, stamps, resolved.hash, None)
        self._seen[key] = seen
        return seen

    def _watched(self, key: tuple[str, str]) -> Sequence[Path]:
        """Every file whose change could change this mapping: those read, and those that would win over them."""
        try:
            return sorted({*self._folders.candidates(key[0]), *self._files.get(key, ())})
        except MappingInvalid:
            return ()

    def _document(self, hash_: str) -> Node:
        with read(self._engine) as connection:
            return load(connection, hash_)


def _stamps(paths: Sequence[Path]) -> _Stamps:
    """Path, time of change and size of each file; zeros where there is none."""
    found = []
    for path in paths:
        try:
            status = path.stat()
            found.append((str(path), status.st_mtime_ns, status.st_size))
        except OSError:
            found.append((str(path), 0, 0))
    return tuple(found)


def _kept(holder: dict[_Key, _Made], key: _Key, made: _Made) -> _Made:
    """Remember a compiled mapping; the oldest goes when there are too many."""
    if len(holder) >= _MAX_COMPILED:
        del holder[next(iter(holder))]
    holder[key] = made
    return made
