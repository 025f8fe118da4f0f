"""Intercom's calls, as requests. Every call names the API version (Intercom-OpenAPI, descriptions 2.11 to 2.16)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from hub.sdk.values import EMPTY, Json, Request

DAY_S: Final = 86_400.0
HOUR_S: Final = 3_600.0
_DIRECT_FROM: Final = (2, 13)
"""The first version with GET /contacts/find_by_external_id."""


class Calls:
    def __init__(self, version: str) -> None:
        self._headers = {"Intercom-Version": version}
        self.is_search_late = tuple(int(part) for part in version.split(".")) < _DIRECT_FROM
        """Whether contacts can only be found by search, whose index misses those of the last minutes."""

    def find(self, source_id: str) -> Request:
        if not self.is_search_late:
            return self._call("GET", f"/contacts/find_by_external_id/{quote(source_id, safe='')}")
        wanted = {"field": "external_id", "operator": "=", "value": source_id}
        query = {"operator": "AND", "value": [wanted]}
        return self._call("POST", "/contacts/search", {"query": query, "pagination": {"per_page": 2}})

    def contact(self, contact_id: str) -> Request:
        return self._call("GET", f"/contacts/{contact_id}")

    def create(self, body: Mapping[str, Json]) -> Request:
        return self._call("POST", "/contacts", dict(body))

    def update(self, contact_id: str, body: Mapping[str, Json]) -> Request:
        return self._call("PUT", f"/contacts/{contact_id}", dict(body))

    def delete(self, contact_id: str) -> Request:
        return self._call("DELETE", f"/contacts/{contact_id}")

    def event(self, body: Mapping[str, Json]) -> Request:
        return self._call("POST", "/events", dict(body))

    def tag(self, name: str, *, is_fresh: bool = False) -> Request:
        """The tag of this name, made if there is none. `is_fresh`: the id kept from an earlier answer is wrong."""
        key = f"tag:{name}"
        if is_fresh:
            return self._call("POST", "/tags", {"name": name}, forget=[key])
        return self._call("POST", "/tags", {"name": name}, cache_for_s=DAY_S, cache_key=key)

    def add_tag(self, contact_id: str, tag_id: str) -> Request:
        return self._call("POST", f"/contacts/{contact_id}/tags", {"id": tag_id})

    def remove_tag(self, contact_id: str, tag_id: str) -> Request:
        return self._call("DELETE", f"/contacts/{contact_id}/tags/{quote(tag_id, safe='')}")

    def subscription_types(self) -> Request:
        return self._call("GET", "/subscription_types", cache_for_s=HOUR_S, cache_key="subscription_types")

    def attach(self, contact_id: str, type_id: str, consent_type: str) -> Request:
        body = {"id": type_id, "consent_type": consent_type}
        return self._call("POST", f"/contacts/{contact_id}/subscriptions", body)

    def detach(self, contact_id: str, type_id: str) -> Request:
        return self._call("DELETE", f"/contacts/{contact_id}/subscriptions/{quote(type_id, safe='')}")

    def attributes(self) -> Request:
        return self._call("GET", "/data_attributes", query={"model": "contact"})

    def create_attribute(self, name: str, data_type: str) -> Request:
        return self._call("POST", "/data_attributes", {"name": name, "model": "contact", "data_type": data_type})

    def me(self) -> Request:
        return self._call("GET", "/me")

    def _call(
        self, method: str, path: str, body: Json = None, query: Mapping[str, Any] = EMPTY, **cache: Any
    ) -> Request:
        return Request(method, path, query=query, headers=self._headers, json=body, **cache)
