"""Rows of products: they go straight into the catalogue, with the position of the import in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Engine

from hub.core.clock import Micros, iso
from hub.core.database import write
from hub.imports.columns import ColumnPlan
from hub.imports.reading import CsvRow
from hub.imports.rows import Contents, ragged, row_id
from hub.imports.sinks import Finish, Rejected, Taken, Tried
from hub.mapping.values.coerce import identifier, string
from hub.mapping.values.coerce_number import Money, currency_code
from hub.mapping.values.coerce_time import datetime_us
from hub.mapping.values.text import Failed
from hub.profiles.products import ProductStatement, write_products
from hub.sdk.errors import PayloadInvalid

METADATA = "metadata"


class ProductSink:
    """The catalogue. Prices without a currency are in `currency`; rows without a time are of `at`."""

    def __init__(self, engine: Engine, plan: ColumnPlan, currency: str, at: Micros) -> None:
        self._engine = engine
        self._contents = Contents(plan)
        self._headers = {column.field.partition(":")[0]: column.header for column in plan.columns}
        self._width = len(plan.header)
        self._currency = currency
        self._at = at

    def take(self, records: Sequence[CsvRow], now: Micros, finish: Finish) -> None:
        products: list[ProductStatement] = []
        rejected: list[Rejected] = []
        for record in records:
            made = self._made(record)
            if isinstance(made, str):
                rejected.append((record, made))
            else:
                products.append(made)
        with write(self._engine) as database:
            write_products(database, products, now)
            finish(database, Taken(len(products), 0, rejected))

    def try_out(self, records: Sequence[CsvRow], _now: Micros) -> Sequence[Tried]:
        return [_tried(record, self._made(record)) for record in records]

    def _made(self, record: CsvRow) -> ProductStatement | str:
        """What a row says, or a sentence why it cannot be taken."""
        error = record.error or ragged(record.cells, self._width)
        if error:
            return error
        try:
            content = self._contents.of(record.cells)
            if "product_id" not in content:
                return "The row has no product_id."
            product_id = self._read("product_id", identifier, content["product_id"])
            at = self._read("at", datetime_us, content["at"]) if "at" in content else self._at
            return ProductStatement(product_id, at, row_id(content), self._fields(content))
        except PayloadInvalid as found:
            return str(found)

    def _fields(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Raises PayloadInvalid."""
        given = content.get("product", {})
        fields = {f"{METADATA}.{key}": value for key, value in content.get(METADATA, {}).items()}
        fields |= {name: given[name] for name in ("attributes",) if name in given}
        for name in ("name", "sku", "image_url"):
            if name in given:
                fields[name] = self._read(f"product.{name}", string, given[name])
        currency = self._currency
        if "currency" in given:
            currency = fields["currency"] = self._read("product.currency", _currency, given["currency"])
        if "price" in given:
            fields["price"] = self._read("product.price", Money(currency), given["price"])
            fields["currency"] = currency
        return fields

    def _read(self, field: str, coerce: Callable[[Any], Any], value: Any) -> Any:
        made = coerce(value)
        if isinstance(made, Failed):
            raise PayloadInvalid(f"{self._headers.get(field, field)}: {made.text}.")
        return made


def _currency(value: Any) -> str | Failed:
    return currency_code(value) or Failed("invalid_currency", "there is no such currency in ISO 4217")


def _tried(record: CsvRow, made: ProductStatement | str) -> Tried:
    if isinstance(made, str):
        return Tried(record, made)
    return Tried(record, "", result={"product_id": made.product_id, "at": iso(made.at), **made.fields})
