"""The operator's copy of Wyng's data model: which fields there are and what they take.

Wyng stores nothing outside its data model (developers.wyng.com/docs/wyng-profiles/intro), so values are fitted to it before
they are sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hub.sdk.json import dumps
from hub.sdk.values import Json

KINDS: Final = ("text", "date", "bool", "num", "set")
DEFAULT: Final = (
    "customer_id:text email:text phone:text first_name:text last_name:text dob:date gender:text locale:text timezone:text "
    "address_1:text address_2:text city:text state:text postal_code:text country:text customer_since:date segments:set "
    "consent_email:bool consent_sms:bool incentive_code:text incentive_code_value:text incentive_code_balance:text "
    "incentive_code_expires_at:date incentive_code_published_at:date"
)
"""The fields of mappings/wyng.yaml, as docs/connectors/wyng.md suggests to make them."""
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?Z", re.ASCII)


class Misfit(Exception):
    """A value that its field cannot take; says what the field takes."""


@dataclass(frozen=True, slots=True)
class DataModel:
    """Field id to type."""

    kinds: Mapping[str, str]

    @classmethod
    def read(cls, text: str) -> DataModel:
        """`email:text dob:date`. Raises ValueError for a type that Wyng does not have, or a field named twice."""
        kinds: dict[str, str] = {}
        for entry in text.replace(",", " ").split():
            name, _, kind = entry.partition(":")
            if not name or kind not in KINDS:
                raise ValueError(f"data_model: {entry!r} is not an id:type with a type out of {', '.join(KINDS)}")
            if name in kinds:
                raise ValueError(f"data_model names {name} twice")
            kinds[name] = kind
        return cls(kinds)

    def fitted(self, fields: Mapping[str, Json]) -> tuple[dict[str, Json], list[str]]:
        """The values as the model's fields take them, and a sentence for each that was left out."""
        kept: dict[str, Json] = {}
        notices = []
        for name, value in fields.items():
            kind = self.kinds.get(name)
            if kind is None:
                notices.append(f"Left out {name}: the data model has no such active field.")
                continue
            try:
                kept[name] = None if value is None else _fit(value, kind)
            except Misfit as misfit:
                notices.append(f"Left out {name}: {misfit}")
        return kept, notices


def _fit(value: Json, kind: str) -> Json:
    """Raises Misfit."""
    match kind:
        case "text":
            return _text(value)
        case "date":
            return _date(value)
        case "bool" if isinstance(value, bool):
            return value
        case "num" if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        case "set":
            return [_text(one) for one in value] if isinstance(value, list) else [_text(value)]
    raise Misfit(f"the field takes {kind}, and the value is none.")


def _text(value: Json) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return dumps(value).decode()


def _date(value: Json) -> str:
    """`2011-12-03T10:15:30Z`; a day by itself is its midnight."""
    if isinstance(value, str):
        if _DAY.fullmatch(value):
            return f"{value}T00:00:00Z"
        instant = _INSTANT.fullmatch(value)
        if instant:
            return f"{instant[1]}Z"
    raise Misfit("the field takes a date, and the value is none.")
