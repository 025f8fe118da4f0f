"""CSV as a source. `hub import` puts the rows of files into its inbox; a system may send rows to its URL as JSON.

The messages of both are alike; docs/connectors/csv.md tells their shape. Files and their columns: docs/import.md.
"""

from __future__ import annotations

import hmac
from typing import Any, ClassVar, Final

from pydantic import BaseModel, Field, SecretStr

from hub.sdk.contract import Source
from hub.sdk.errors import MethodNotAllowed, PayloadInvalid, SignatureInvalid, SignatureMissing
from hub.sdk.json import MAX_DEPTH, depth_exceeds, dumps, loads
from hub.sdk.values import InboundRequest, RawMessage, Received, Reply

KINDS: Final = frozenset({"customers", "orders", "events"})


class CsvSettings(BaseModel):
    """Who may send rows to the URL, and how the rows of this source are read. Importing files needs no secret."""

    secret: SecretStr | None = Field(
        default=None,
        description="The secret that a sender of rows presents as `Authorization: Bearer …`; files need none.",
        examples=["example-secret"],
        json_schema_extra={"generate": True},
    )
    previous_secret: SecretStr | None = Field(
        default=None,
        description="The secret before the last change; keep it until every sender uses the new one.",
        examples=["old-secret"],
    )
    region: str | None = Field(
        default=None,
        pattern="^[A-Za-z]{2}$",
        description="The country of phone numbers that are written without one, where the row names none (ISO 3166).",
        examples=["PL"],
    )


class Csv(Source):
    name = "csv"
    title = "CSV files"
    docs_url = "https://www.rfc-editor.org/rfc/rfc4180"
    Settings: ClassVar[type[BaseModel]] = CsvSettings

    def receive(self, request: InboundRequest) -> Received:
        self._admit(request)
        if request.method != "POST" or request.path.strip("/"):
            raise MethodNotAllowed("Rows come by POST, to the URL of the source itself.")
        rows = _rows(request.body)
        return Received([_message(row) for row in rows], Reply(202, {"accepted": len(rows)}))

    def _admit(self, request: InboundRequest) -> None:
        if not request.headers.get("authorization", "").strip():
            raise SignatureMissing("The header Authorization is missing; send this source's secret as `Bearer`.")
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        token = given.strip().encode("utf-8", "surrogatepass")
        secrets = [one for one in (self.settings.secret, self.settings.previous_secret) if one is not None]
        known = [one.get_secret_value().encode() for one in secrets if one.get_secret_value()]
        if scheme.lower() != "bearer" or not any(hmac.compare_digest(token, one) for one in known):
            raise SignatureInvalid("The request did not present this source's secret as `Authorization: Bearer`.")


def _rows(body: bytes) -> list[dict[str, Any]]:
    try:
        value = loads(body)
    except ValueError as error:
        raise PayloadInvalid("The body is not JSON; send one row, or a list of them.") from error
    if depth_exceeds(value, MAX_DEPTH):
        raise PayloadInvalid(f"The body nests deeper than {MAX_DEPTH} levels.")
    rows = value if isinstance(value, list) else [value]
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or row.get("kind") not in KINDS:
            raise PayloadInvalid(f"Row {number} is not an object with a `kind` of {', '.join(sorted(KINDS))}.")
    return rows


def _message(row: dict[str, Any]) -> RawMessage:
    """A row's `message_id` is its own; without one the hub knows it by its content if that states a time."""
    given, source_id = row.get("message_id"), row.get("source_id")
    key = str(given) if isinstance(given, str | int) and str(given).strip() else None
    return RawMessage(dumps(row), key, str(source_id) if isinstance(source_id, str | int) else None)
