"""A row becomes a message: the one the apply role will see, tried on the mapping it will be mapped by."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from hub.core.clock import Micros, to_datetime
from hub.imports.cells import reader_of, value_of
from hub.imports.columns import ColumnPlan, shown
from hub.imports.reading import CsvRow
from hub.mapping.model import Change, Verdict, Warning
from hub.sdk.errors import PayloadInvalid
from hub.sdk.json import canonical, dumps
from hub.sdk.values import RawMessage

_EDGE = re.compile(r"[.\[]")
_TOLD = 5  # sentences that a cell of the rejected rows holds
_REASONS = {
    "missing_source_id": "The row has no source_id.",
    "anonymous": "The row has no source_id.",
    "invalid_source_id": "source_id: an id has 1 to 255 characters.",
    "no_rule": "The mapping of the source has no rule for such rows; see `hub mappings check csv`.",
    "missing_required": "A value that the mapping requires is missing.",
}


class Mapped(Protocol):
    """The source's mapping, as the apply role compiles it."""

    def apply(self, message: Any, *, message_id: str, received_at: Micros) -> Change: ...


class Made(NamedTuple):
    """What a row came to: a message, or a sentence why not. `change` is what applying it will mean, `warnings` what of the
    row it leaves out or alters, a sentence each."""

    message: RawMessage | None
    change: Change | None
    error: str = ""
    warnings: Sequence[str] = ()


class Contents:
    """What the rows of a file say, under the names of their fields, without what an import adds."""

    def __init__(self, plan: ColumnPlan) -> None:
        self._kind = plan.kind
        self._places = [
            (column.place, column.group, column.key, reader_of(column, plan.dates), column.header)
            for column in plan.columns
            if not column.is_left_out
        ]

    def of(self, cells: Sequence[str]) -> dict[str, Any]:
        """One row's. Raises PayloadInvalid with a sentence that names the column."""
        content: dict[str, Any] = {"kind": self._kind}
        for index, group, key, read, header in self._places:
            cell = cells[index] if index < len(cells) else ""
            if not cell or cell.isspace():
                continue
            value = value_of(cell, read, header)
            if group:
                content.setdefault(group, {})[key] = value
            else:
                content[key] = value
        return content


class Maker:
    """Turns the rows of one file into messages.

    `at` is the time of rows that state none; `is_quiet` tells the hub to send nothing because of them. A row whose
    values the mapping would drop is refused, unless `takes_warnings`. The same row at another time is another message;
    but an event that states none is the same in whatever file it stands, unless `at` was asked for (`states_time`).
    """

    def __init__(
        self,
        plan: ColumnPlan,
        mapping: Mapped,
        at: Micros,
        *,
        is_quiet: bool = True,
        takes_warnings: bool = False,
        states_time: bool = False,
    ) -> None:
        self._plan = plan
        self._mapping = mapping
        self._takes_warnings = takes_warnings
        self._at = to_datetime(at).isoformat().replace("+00:00", "Z")
        self._is_quiet = is_quiet
        self._is_dated = states_time or plan.kind != "events"
        self._headers = {
            f"{column.group}.{column.key}" if column.group else column.key: column.header for column in plan.columns
        }
        self._contents = Contents(plan)

    def make(self, record: CsvRow, now: Micros) -> Made:
        """Never raises: a row that cannot be imported says why."""
        if record.error:
            return Made(None, None, record.error)
        error = ragged(record.cells, len(self._plan.header))
        if error:
            return Made(None, None, error)
        try:
            content = self._contents.of(record.cells)
        except PayloadInvalid as found:
            return Made(None, None, str(found))
        if self._is_dated:
            content.setdefault("at", self._at)
        key = row_id(content)
        content.setdefault("at", self._at)
        if self._is_quiet:
            content["quiet"] = True
        change = self._mapping.apply(content, message_id=key, received_at=now)
        warnings = list(dict.fromkeys(map(self._sentence, change.warnings)))
        error = self._refusal(change, warnings)
        if error:
            return Made(None, change, error, warnings)
        return Made(RawMessage(dumps(content), key, content.get("source_id")), change, "", warnings)

    def _refusal(self, change: Change, warnings: Sequence[str]) -> str:
        if change.verdict is Verdict.APPLY and (not warnings or self._takes_warnings):
            return ""
        if not warnings:
            return _REASONS.get(change.reason or "", f"The mapping refuses the row: {change.reason}.")
        more = len(warnings) - _TOLD
        return "; ".join(warnings[:_TOLD]) + (f"; and {more} more." if more > 0 else ".")

    def _sentence(self, warning: Warning) -> str:
        """The words of mapping or schema, under the name of the file's column. `traits.email: …` names the value that
        the mapping read."""
        field, colon, text = warning.text.partition(": ")
        header = self._headers.get(field) if colon else None
        if header:
            return f"{header}: {text}"
        place = self._place(warning.path)
        return f"{place}: {warning.text}" if place else warning.text

    def _place(self, path: str) -> str:
        """The column that a path of the change came from, and what in its cell is meant: `Home.lat`, `Items[0].size`."""
        for prefix in ("profile.", "who.", "message."):
            path = path.removeprefix(prefix)
        if path.startswith("events."):  # events.<key>.<property>
            path = "properties." + path.split(".", 2)[-1]
        for whole in (path, path.removeprefix("order.")):
            ends = [len(whole), *(edge.start() for edge in reversed(list(_EDGE.finditer(whole))))]
            for end in ends:
                if whole[:end] in self._headers:
                    return self._headers[whole[:end]] + whole[end:]
        return shown(path)


def row_id(content: Mapping[str, Any]) -> str:
    """The message id of a row: the same content is the same message, whatever file and order of columns it is in."""
    return "csv:" + hashlib.blake2b(canonical(content), digest_size=20).hexdigest()


def ragged(cells: Sequence[str], width: int) -> str:
    """Why a row does not fit its header; empty cells that spreadsheets add at the end do no harm."""
    if len(cells) == width or (len(cells) > width and not any(cells[width:])):
        return ""
    return f"The row has {len(cells)} cells and the header {width}; is a delimiter or a quote missing, or one too many?"
