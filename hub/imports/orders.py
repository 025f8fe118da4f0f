"""Orders whose items have a row each: the rows of one order become one record, with its items as a cell of JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hub.imports.cells import reader_of, value_of
from hub.imports.columns import Column, ColumnPlan
from hub.imports.fields import ITEM, ITEMS
from hub.imports.reading import CsvRow
from hub.imports.rows import ragged
from hub.sdk.errors import PayloadInvalid
from hub.sdk.json import dumps

MAX_ROWS = 1_000  # of one order; they are in memory together
MAX_CHARS = 4_194_304


def has_item_rows(plan: ColumnPlan) -> bool:
    return any(column.group == ITEM for column in plan.columns)


def plan_of_joined(plan: ColumnPlan) -> ColumnPlan:
    """What becomes of the columns of joined records: all items stand in one of their own, behind the others."""
    if not has_item_rows(plan):
        return plan
    group, _, key = ITEMS.partition(".")
    items = Column(len(plan.header), key, group, key, "json")
    return plan._replace(header=(*plan.header, key), columns=(*plan.columns, items))


def joined(records: Iterable[CsvRow], plan: ColumnPlan) -> Iterator[CsvRow]:
    """The rows of one order as one record, where the plan has columns of items; all others as they are.

    The rows of an order stand one below the other. A row that does not say of which order it is belongs to the one above
    it. An order that comes again further down is an error: what of it counts could not be told.
    """
    if not has_item_rows(plan):
        yield from records
        return
    join = _Join(plan)
    rows: list[CsvRow] = []
    size = 0
    for record in records:
        key = join.key(record)
        is_more = rows and (not key or key == join.key(rows[0]))
        if rows and (not is_more or len(rows) == MAX_ROWS or size > MAX_CHARS):
            yield join.record(rows, is_cut=bool(is_more))
            rows, size = [], 0
        rows.append(record)
        size += sum(map(len, record.cells))
    if rows:
        yield join.record(rows)


class _Join:
    """Makes one record of the rows of an order, and knows which orders came already."""

    def __init__(self, plan: ColumnPlan) -> None:
        self._width = len(plan.header)
        self._id = next(column.place for column in plan.columns if column.field == "order.id")
        self._items = [(column, reader_of(column, plan.dates)) for column in plan.columns if column.group == ITEM]
        self._others = [column for column in plan.columns if column.group != ITEM and not column.is_left_out]
        self._seen: set[int] = set()  # hashes: some 65 MiB for a million orders

    def key(self, record: CsvRow) -> str:
        """Of which order a row is; empty where it does not say."""
        return record.cells[self._id].strip() if self._id < len(record.cells) else ""

    def record(self, rows: Sequence[CsvRow], *, is_cut: bool = False) -> CsvRow:
        """These rows as one. With an error in any of them all of them cannot be taken."""
        first, key = rows[0], self.key(rows[0])
        error = "The order has more rows than can be read as one; give its items as JSON." if is_cut else ""
        if key and hash(key) in self._seen:
            error = "Other rows of this order stand further up; put all rows of an order together."
        if key:
            self._seen.add(hash(key))
        error = error or next((fault for row in rows if (fault := self._fault(row, rows))), "")
        if error:
            return first._replace(error=error, joined=tuple(rows))
        try:
            items = [item for row in rows if (item := self._item(row))]
            cells = [*self._cells(rows), dumps(items).decode() if items else ""]
        except PayloadInvalid as found:
            return first._replace(error=str(found), joined=tuple(rows))
        return CsvRow(first.number, first.line, cells, "", tuple(rows))

    def _fault(self, row: CsvRow, rows: Sequence[CsvRow]) -> str:
        fault = row.error or ragged(row.cells, self._width)
        if not fault and len(rows) > 1 and not self.key(row):
            fault = "The row does not say of which order it is."
        return f"In line {row.line}, of the same order: {fault}" if fault and len(rows) > 1 else fault

    def _item(self, row: CsvRow) -> dict[str, Any]:
        """What a row says of its item. Raises PayloadInvalid."""
        cells = ((column, read, row.cells[column.place]) for column, read in self._items)
        return {
            column.key: value_of(cell, read, column.header)
            for column, read, cell in cells
            if cell and not cell.isspace()
        }

    def _cells(self, rows: Sequence[CsvRow]) -> list[str]:
        """What all rows say together of the order. Raises PayloadInvalid where they say different things."""
        cells = rows[0].cells[: self._width]
        for column, _ in self._items:
            cells[column.place] = ""
        for column in self._others if len(rows) > 1 else ():
            values = dict.fromkeys(cell for row in rows if (cell := row.cells[column.place].strip()))
            if len(values) > 1:
                raise PayloadInvalid(self._differs(column, rows))
            cells[column.place] = next(iter(values), "")
        return cells

    def _differs(self, column: Column, rows: Sequence[CsvRow]) -> str:
        lines = (
            f"{column.header}: the rows of one order, lines {rows[0].line} to {rows[-1].line}, say different things."
        )
        if column.group != "metadata":
            return lines
        return f"{lines} If it is of the item, say so with --map '{column.header}=item.NAME'."
