"""Where the rows of a file go: into the inbox of a source as messages, or into the codes of a campaign."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection as Database
from sqlalchemy import Engine

from hub.campaigns import rules
from hub.campaigns import store as campaigns
from hub.campaigns.values import Campaign
from hub.core.clock import Micros
from hub.core.database import write
from hub.imports.cells import unescaped
from hub.imports.columns import ColumnPlan
from hub.imports.reading import CsvRow
from hub.imports.rows import Maker, ragged
from hub.inbox.values import AcceptedRequest
from hub.mapping.model import Change
from hub.sdk.values import RawMessage

Rejected = tuple[CsvRow, str]


class Taken(NamedTuple):
    """What became of some rows, `accepted` of which were taken. `duplicates`: codes that the campaign had already."""

    accepted: int
    duplicates: int
    rejected: Sequence[Rejected]


class Tried(NamedTuple):
    """What would become of a row: a sentence why not, else what it changes. `warnings`: what mapping and schema leave out or
    alter, a sentence each; `result` is that of rows which are not messages; `is_duplicate`: the campaign has the code
    already."""

    record: CsvRow
    error: str
    change: Change | None = None
    warnings: Sequence[str] = ()
    result: Mapping[str, Any] = MappingProxyType({})
    is_duplicate: bool = False


Finish = Callable[[Database, Taken], None]
"""Notes how far the import has come, in a transaction."""
Append = Callable[[AcceptedRequest], None]


class Sink(Protocol):
    """Takes rows in portions."""

    def take(self, records: Sequence[CsvRow], now: Micros, finish: Finish, /) -> None:
        """Take these rows for good, then call `finish`: in the same transaction, or right behind it, so that a crash
        between the two makes the rows come again, which changes nothing."""
        ...

    def try_out(self, records: Sequence[CsvRow], now: Micros, /) -> Sequence[Tried]:
        """What `take` would make of them; nothing is written."""
        ...


class MessageSink:
    """Customers, orders and events: messages of a source, on disk in its inbox when `take` returns."""

    def __init__(self, engine: Engine, connection_id: str, maker: Maker, append: Append) -> None:
        self._engine = engine
        self._connection_id = connection_id
        self._maker = maker
        self._append = append

    def take(self, records: Sequence[CsvRow], now: Micros, finish: Finish) -> None:
        messages: list[RawMessage] = []
        rejected: list[Rejected] = []
        accepted = 0
        for record in records:
            made = self._maker.make(record, now)
            if made.message is None:
                rejected.append((record, made.error))
            else:
                messages.append(made.message)
                accepted += len(record.rows)
        if messages:
            self._append(AcceptedRequest(self._connection_id, now, messages))
        with write(self._engine) as database:
            finish(database, Taken(accepted, 0, rejected))

    def try_out(self, records: Sequence[CsvRow], now: Micros) -> Sequence[Tried]:
        made = [(record, self._maker.make(record, now)) for record in records]
        return [Tried(record, each.error, each.change, each.warnings) for record, each in made]


class CodeSink:
    """Codes of an imported campaign."""

    def __init__(self, engine: Engine, campaign: Campaign, plan: ColumnPlan) -> None:
        self._engine = engine
        self._campaign = campaign
        self._width = len(plan.header)
        self._place = next(column.place for column in plan.columns if column.key == "code")
        self._tried: set[str] = set()  # codes of earlier rows of a dry run, which are stored nowhere

    def take(self, records: Sequence[CsvRow], _now: Micros, finish: Finish) -> None:
        rejected, codes = self._sorted(records)
        with write(self._engine) as database:
            known = campaigns.owners(database, list(codes))
            new = [code for code in codes if code not in known]
            done = campaigns.import_codes(database, self._campaign, new)
            late = campaigns.owners(database, new) if done.added < len(new) else {}  # taken meanwhile
            elsewhere = self._elsewhere({**known, **late})
            rejected += [(record, elsewhere[code]) for code in codes if code in elsewhere for record in codes[code]]
            duplicates = len(records) - done.added - len(rejected)
            rejected.sort(key=lambda each: each[0].number)
            finish(database, Taken(done.added, duplicates, rejected))

    def try_out(self, records: Sequence[CsvRow], _now: Micros) -> Sequence[Tried]:
        rejected, codes = self._sorted(records)
        with self._engine.connect() as database:
            owners = campaigns.owners(database, list(codes))
        elsewhere = self._elsewhere(owners)
        tried = [Tried(record, error) for record, error in rejected]
        for code, same in codes.items():
            is_known = code in owners or code in self._tried
            error = elsewhere.get(code, "")
            for each in same:
                is_duplicate = is_known or each is not same[0]
                result = {"code": code, "is_duplicate": is_duplicate}
                tried.append(Tried(each, error, result=result, is_duplicate=is_duplicate))
        self._tried.update(codes)
        return sorted(tried, key=lambda each: each.record.number)

    def _elsewhere(self, owners: dict[str, str]) -> dict[str, str]:
        """Codes of other campaigns, with the sentence that rejects them."""
        return {
            code: f"It exists already, in campaign {owner!r}."
            for code, owner in owners.items()
            if owner != self._campaign.name
        }

    def _sorted(self, records: Sequence[CsvRow]) -> tuple[list[Rejected], dict[str, list[CsvRow]]]:
        """Rows that cannot be taken, and the rows of each usable code."""
        rejected: list[Rejected] = []
        codes: dict[str, list[CsvRow]] = {}
        for record in records:
            error = record.error or ragged(record.cells, self._width)
            good, bad = ([], {}) if error else rules.sort_out([unescaped(record.cells[self._place])])
            if good:
                codes.setdefault(good[0], []).append(record)
            else:
                rejected.append((record, error or next(iter(bad.values()), "The row has no code.")))
        return rejected, codes
