"""A Klaviyo account in memory, as the simulator keeps it: profiles, metrics, events and lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.klaviyo.validation import IDENTIFIERS, Invalid, metric_name
from hub.sdk.values import Json

CONTAINERS = ("properties", "location")


@dataclass
class Account:
    profiles: dict[str, dict[str, Json]] = field(default_factory=dict)
    metrics: dict[str, str] = field(default_factory=dict)
    events: list[dict[str, Json]] = field(default_factory=list)
    lists: dict[str, dict[str, Json]] = field(default_factory=dict)
    _index: dict[tuple[str, str], str] = field(default_factory=dict)
    _seen: set[tuple[str, str, str]] = field(default_factory=set)
    _count: int = 0

    def new_id(self, length: int = 26) -> str:
        """Ids of profiles and jobs look like ULIDs, those of lists and metrics are six characters."""
        self._count += 1
        return f"01J{self._count:0{length - 3}d}" if length == 26 else f"Y{self._count:0{length - 1}d}"

    def find(self, identifiers: Mapping[str, Any]) -> list[str]:
        """The ids of all profiles that one of the identifiers names, strongest first."""
        found = []
        if identifiers.get("id") in self.profiles:
            found.append(str(identifiers["id"]))
        for name in ("external_id", "email", "phone_number"):
            value = identifiers.get(name)
            profile_id = self._index.get((name, _folded(value))) if value else None
            if profile_id and profile_id not in found:
                found.append(profile_id)
        return found

    def upsert(self, resource: Mapping[str, Any], at: str = "/data") -> tuple[str, bool]:
        """The profile's id and whether it is new. Raises Invalid with 404 or 409."""
        attributes = resource.get("attributes", {})
        found = self.find({**attributes, "id": resource.get("id")})
        if resource.get("id") and resource["id"] not in self.profiles:
            raise Invalid("A profile with this id does not exist.", f"{at}/id", status=404, code="not_found")
        if len(found) > 1:
            raise Invalid(
                "A profile already exists with one of these identifiers.",
                f"{at}/attributes",
                status=409,
                code="duplicate_profile",
                duplicate_profile_id=found[1],
            )
        profile_id = found[0] if found else self.new_id()
        profile = self.profiles.setdefault(profile_id, {"id": profile_id, "properties": {}, "location": {}})
        self._apply(profile, attributes, (resource.get("meta") or {}).get("patch_properties") or {})
        return profile_id, not found

    def _apply(self, profile: dict[str, Json], attributes: Mapping[str, Any], patch: Mapping[str, Any]) -> None:
        for name, value in attributes.items():
            if name in CONTAINERS:
                profile[name] = _merged(profile[name], value or {})
                continue
            if name in IDENTIFIERS:
                self._reindex(profile, name, value)
            profile[name] = value
            if value is None:
                del profile[name]
        properties = profile["properties"]
        for key, value in (patch.get("append") or {}).items():
            properties[key] = [*_as_list(properties.get(key)), *_as_list(value)]
        for key, value in (patch.get("unappend") or {}).items():
            properties[key] = [item for item in _as_list(properties.get(key)) if item not in _as_list(value)]
        for key in _as_list(patch.get("unset")):
            properties.pop(key, None)

    def _reindex(self, profile: Mapping[str, Any], name: str, value: Json) -> None:
        if profile.get(name):
            self._index.pop((name, _folded(profile[name])), None)
        if value:
            self._index[name, _folded(value)] = profile["id"]

    def delete(self, profile_id: str) -> None:
        profile = self.profiles.pop(profile_id)
        for name in IDENTIFIERS:
            self._reindex(profile, name, None)
        self.events[:] = [event for event in self.events if event["profile_id"] != profile_id]
        for one in self.lists.values():
            one["profiles"] = [member for member in one["profiles"] if member != profile_id]

    def record(self, profile: Mapping[str, Any], event: Mapping[str, Any], now: str) -> dict[str, Json] | None:
        """The event as kept, or None for a repeated one: same profile and metric, and same unique_id (or second)."""
        found = self.find(profile)
        profile_id = found[0] if found else self.upsert({"attributes": profile})[0]
        metric, time = str(metric_name(event)), str(event.get("time") or now)[:19]
        self.metrics.setdefault(metric, self.new_id(6))
        key = (profile_id, metric, str(event.get("unique_id") or time))
        if key in self._seen:
            return None
        self._seen.add(key)
        named = ("properties", "value", "value_currency", "unique_id", "backfill")
        kept = {"profile_id": profile_id, "metric": metric, "time": time, **{name: event.get(name) for name in named}}
        self.events.append(kept)
        return kept


def _folded(value: Json) -> str:
    return str(value).lower()


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Key by key; null removes."""
    return {name: value for name, value in {**old, **new}.items() if value is not None}


def _as_list(value: Json) -> list[Json]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
