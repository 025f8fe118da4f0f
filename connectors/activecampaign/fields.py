"""Custom fields: ActiveCampaign takes them by id, mappings name them by personalisation tag."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from connectors.activecampaign import calls
from connectors.activecampaign.answers import all_rows
from connectors.activecampaign.settings import STANDARD
from hub.sdk.contract import Flow
from hub.sdk.json import dumps
from hub.sdk.values import Json, Rejected

BULK_NAMES: Final = {"firstName": "first_name", "lastName": "last_name", "phone": "phone"}
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z", re.ASCII)


class Field(NamedTuple):
    """A custom field of the account."""

    id: str
    kind: str


Known = Mapping[str, Field]


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact as it is to be written. `missing`: fields that the account does not have."""

    email: str
    standard: Mapping[str, str] = field(default_factory=dict)
    custom: Sequence[tuple[str, str]] = ()
    missing: Sequence[str] = ()

    def single(self) -> dict[str, Json]:
        """For contact/sync and contacts (sync-a-contacts-data)."""
        values = [{"field": field_id, "value": value} for field_id, value in self.custom]
        return {"email": self.email, **self.standard, **({"fieldValues": values} if values else {})}

    def bulk(self) -> dict[str, Json]:
        """For an import, which has other names and takes ids as integers (bulk-import-contacts)."""
        standard = {BULK_NAMES[name]: value for name, value in self.standard.items()}
        values = [{"id": int(field_id), "value": value} for field_id, value in self.custom if field_id.isdecimal()]
        return {"email": self.email, **standard, **({"fields": values} if values else {})}

    def notices(self) -> list[str]:
        return [missing_words(self.missing)] if self.missing else []


def missing_words(names: Sequence[str]) -> str:
    return (
        f"Left out, because the account has no such custom fields: {', '.join(names)}. "
        "Create them (`prepare` does), then send the profile again with --force."
    )


def no_place(delivery_id: str, perstag: str) -> Rejected:
    """The refusal of a code that could not be written: what would start then is a message without one."""
    words = f"The account has no custom field {perstag.upper()} for the code; create it, then replay."
    return Rejected(delivery_id, words, code="missing_field", field=perstag)


def known() -> Flow:
    """The account's custom fields by personalisation tag, in upper case."""
    listed = yield from all_rows(calls.fields, "fields")
    return {
        str(one["perstag"]).strip("%").upper(): Field(str(one["id"]), str(one.get("type") or "text"))
        for one in listed
        if one.get("perstag") and one.get("id")
    }


def contact_of(email: str, fields: Mapping[str, Json], existing: Known) -> Contact:
    """The contact that these mapped fields make. A name of digits is a field's id."""
    standard = {name: text(fields[name]) for name in STANDARD if name in fields and name != "email"}
    custom, missing = [], []
    for name, value in fields.items():
        if name in STANDARD:
            continue
        found = Field(name, "text") if name.isdecimal() else existing.get(name.upper())
        if found is None:
            missing.append(name)
        else:
            custom.append((found.id, text(value, found.kind)))
    return Contact(email, standard, custom, missing)


def needs_ids(fields: Mapping[str, Any]) -> bool:
    return any(name not in STANDARD and not name.isdecimal() for name in fields)


def text(value: Json, kind: str = "text") -> str:
    """A value on the wire, where all are texts: lists as `||a||b||`, an empty text clears."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"||{'||'.join(text(one) for one in value)}||" if value else ""
    if isinstance(value, dict):
        return dumps(value).decode()
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        return _moment(value, kind)
    return str(value)


def _moment(value: str, kind: str) -> str:
    """An instant for a field of this type: a day, or the time with its offset in numbers."""
    if kind == "date":
        return value[:10]
    return f"{value[:19]}+00:00" if kind == "datetime" else value
