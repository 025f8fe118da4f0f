"""What must exist in Airship before anything is sent, and only its dashboard can make."""

from __future__ import annotations

from typing import Final

from connectors.airship.bodies import ADD, REMOVE
from hub.sdk.values import Finding, Operation, Wanted

PREDEFINED: Final = frozenset(
    [
        "account_creation", "advertising_id", "age", "altitude", "birthdate", "city", "company", "country", "email",
        "first_name", "full_name", "gender", "home_phone", "last_name", "latitude", "longitude", "loyalty_tier",
        "mobile_phone", "region", "title", "username", "work_phone", "zipcode",
    ]
)  # fmt: skip
"""Attributes that Airship brings along; they are switched on in the dashboard (schemas/attributes)."""
TYPES: Final = {"number": "Number", "date": "Date", "datetime": "Date"}


def missing(wanted: Wanted) -> list[Finding]:
    """One finding for attributes of one's own, one for predefined ones, one for each tag group."""
    fields = {
        name.partition(".")[2]: kind
        for name, kind in wanted.fields.get(Operation.PROFILES, {}).items()
        if name.startswith("attributes.")
    }
    flags = {name for name, kind in fields.items() if kind == "boolean" or name in (ADD, REMOVE)}
    values = {name: kind for name, kind in fields.items() if name not in flags}
    own = sorted(f"{name} ({TYPES.get(kind, 'Text')})" for name, kind in values.items() if name not in PREDEFINED)
    known = sorted(name for name in values if name in PREDEFINED)
    found = []
    if own:
        found.append(
            f"Make these attributes in Airship's dashboard, which no call can do: {', '.join(own)}. Until then "
            "Airship leaves their values out, and each delivery says so in a notice."
        )
    if known:
        found.append(f"Switch on these predefined attributes in Airship's dashboard: {', '.join(known)}.")
    if flags:
        found.append("Make the tag group hub_flags in Airship's dashboard: true and false become tags in it.")
    if wanted.audiences:
        found.append("Make the tag group hub_segments in Airship's dashboard: audiences become tags in it.")
    return [Finding("unknown", text) for text in found]
