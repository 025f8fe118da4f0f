"""Profiles as a CSV file that `hub import customers` reads back without loss.

Two passes over the profiles, a page at a time: the first finds which columns there are, the second writes. Cells that a
spreadsheet would run as a formula are written with an apostrophe (importing/cells.py).
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from hub.core.clock import Micros, iso
from hub.core.database import read, write
from hub.imports.cells import escaped
from hub.imports.columns import MAX_COLUMNS, TYPES
from hub.ledger.store import record_audit
from hub.mapping.model import ADDRESS_PARTS, BUILT_IN_TRAITS, REMOVED
from hub.profiles import reading
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError
from hub.sdk.json import dumps

PAGE = 500
MARK = b"\xef\xbb\xbf"  # spreadsheets take a file for UTF-8 only with it
ADDRESSES = ("email", "phone")  # identities that the traits of the same name give on import

View = Mapping[str, Any]


@dataclass
class Columns:
    """Which columns the profiles need, each with how its values are written: '' for text, else a type."""

    metadata: dict[str, str] = field(default_factory=dict)
    identities: set[str] = field(default_factory=set)
    consents: set[str] = field(default_factory=set)

    def see(self, view: View) -> None:
        for key, value in view["metadata"].items():
            if value is REMOVED:
                continue
            kind = _kind(value)
            known = self.metadata.setdefault(key, kind)
            if known != kind:
                self.metadata[key] = "json"
        self.identities.update(name for name in view["identities"] if _identity(view, name))
        self.consents.update(view["consents"])

    def header(self) -> list[str]:
        """Raises ConfigurationError where there are more columns than the import reads."""
        names = [
            "source_id",
            "at",
            *BUILT_IN_TRAITS,
            *[f"address.{part}" for part in ADDRESS_PARTS],
            *[f"identities.{name}" for name in sorted(self.identities)],
            *[f"consents.{topic}" for topic in sorted(self.consents)],
            *[_typed(f"metadata.{key}", kind) for key, kind in sorted(self.metadata.items())],
        ]
        if len(names) > MAX_COLUMNS:
            raise ConfigurationError(
                f"The profiles need {len(names):,} columns; at most {MAX_COLUMNS:,} can be written."
            )
        return names

    def cells(self, view: View, at: str) -> list[str]:
        address, consents, metadata = (view[name] for name in ("address", "consents", "metadata"))
        return [
            view["source_id"],
            at,
            *[_text(view.get(name)) for name in BUILT_IN_TRAITS],
            *[_text(address.get(part)) for part in ADDRESS_PARTS],
            *[_identity(view, name) for name in sorted(self.identities)],
            *[_text((consents.get(topic) or {}).get("status")) for topic in sorted(self.consents)],
            *[_cell(metadata.get(key, REMOVED), kind) for key, kind in sorted(self.metadata.items())],
        ]


def export_to(hub: Installation, path: Path, actor: str, now: Micros) -> int:
    """Write a file, which only its owner may read; how many profiles are in it."""
    parts = profiles_csv(hub.engine, now)
    count = -1
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        for part in parts:
            file.write(part)
            count += 1
    with write(hub.engine) as database:
        record_audit(database, now, actor, "profiles.exported", path.name, {"profiles": count})
    return count


def profiles_csv(engine: Engine, now: Micros) -> Iterator[bytes]:
    """The file in parts: the header, then a profile each. Merged profiles are in it once, as they are read.

    Each row states `now` as its time: imported again, it never undoes what was said since, a refusal above all.
    Raises ConfigurationError before the first part. What changes while it is written is in it as it was or as it is.
    """
    columns = Columns()
    for view in _views(engine):
        columns.see(view)
    yield MARK + _line(columns.header())
    at = iso(now)
    for view in _views(engine):
        yield _line(columns.cells(view, at))


def _views(engine: Engine) -> Iterator[View]:
    after: str | None = None
    while True:
        with read(engine) as database:  # a page each: a long snapshot would hold back SQLite's checkpoint
            ids = reading.audience(database, after, PAGE)
            found = reading.views(database, ids)
        yield from (found[source_id] for source_id in ids if source_id in found)
        if len(ids) < PAGE:
            return
        after = ids[-1]


def _line(cells: Sequence[str]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerow([escaped(cell) for cell in cells])
    return text.getvalue().encode("utf-8", "replace")


def _typed(name: str, kind: str) -> str:
    """A text column whose name ends like a type says that it is text."""
    if not kind and name.rpartition(":")[2] in TYPES:
        return f"{name}:string"
    return f"{name}:{kind}" if kind else name


def _kind(value: Any) -> str:
    """How a value of metadata is written so that it reads back the same."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str) and value and not value.isspace() and "\0" not in value:
        return ""
    return "json"


def _cell(value: Any, kind: str) -> str:
    if value is REMOVED:
        return ""
    return dumps(value).decode() if kind == "json" else _text(value)


def _text(value: Any) -> str:
    if value is None or value is REMOVED:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else dumps(value).decode()


def _identity(view: View, name: str) -> str:
    """Of several identities of a type the one heard of last, since a column holds one; none where a trait gives it."""
    values = view["identities"].get(name)
    return values[0] if values and not (name in ADDRESSES and view.get(name)) else ""
