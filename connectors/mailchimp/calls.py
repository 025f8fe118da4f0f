"""Mailchimp's calls, as requests (mailchimp.com/developer/marketing/api, version 3.0)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hub.sdk.values import EMPTY, Json, Request

SKIP_VALIDATION: Final = {"skip_merge_validation": True}
"""Members are taken without values for required merge fields; the hub has what it has."""


def subscriber_hash(email: str) -> str:
    """MD5 of the lower-case address (api/list-members); another case would be another member, or none."""
    return hashlib.md5(email.strip().lower().encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


class Calls:
    def __init__(self, list_id: str) -> None:
        self._list = f"/lists/{list_id}"

    def put(self, member: str, body: Mapping[str, Json]) -> Request:
        return Request("PUT", self._member(member), query=SKIP_VALIDATION, json=dict(body))

    def patch(self, member: str, body: Mapping[str, Json]) -> Request:
        return Request("PATCH", self._member(member), query=SKIP_VALIDATION, json=dict(body))

    def member(self, member: str) -> Request:
        return Request("GET", self._member(member), query={"fields": "id,status"})

    def archive(self, member: str) -> Request:
        return Request("DELETE", self._member(member))

    def delete(self, member: str) -> Request:
        return Request("POST", f"{self._member(member)}/actions/delete-permanent")

    def event(self, member: str, body: Mapping[str, Json]) -> Request:
        return Request("POST", f"{self._member(member)}/events", json=dict(body))

    def tags(self, member: str, name: str, status: str, *, is_quiet: bool) -> Request:
        body = {"tags": [{"name": name, "status": status}], "is_syncing": is_quiet}
        return Request("POST", f"{self._member(member)}/tags", json=body)

    def trigger(self, journey_id: str, step_id: str, email: str) -> Request:
        path = f"/customer-journeys/journeys/{journey_id}/steps/{step_id}/actions/trigger"
        return Request("POST", path, json={"email_address": email})

    def start_batch(self, puts: Sequence[tuple[str, str, Mapping[str, Json]]]) -> Request:
        """(operation_id, member, body) each; Mailchimp wants each body as a text of JSON."""
        operations = [
            {
                "method": "PUT",
                "path": self._member(member),
                "params": {"skip_merge_validation": "true"},
                "operation_id": operation_id,
                "body": json.dumps(body, separators=(",", ":")),
            }
            for operation_id, member, body in puts
        ]
        return Request("POST", "/batches", json={"operations": operations})

    def batch(self, batch_id: str) -> Request:
        return Request("GET", f"/batches/{batch_id}", pools=["calls"])

    def merge_fields(self) -> Request:
        return self._read("/merge-fields", {"count": 1000, "fields": "merge_fields.tag,merge_fields.type"})

    def create_merge_field(self, tag: str, kind: str) -> Request:
        body = {"tag": tag, "name": tag.replace("_", " ").capitalize(), "type": kind, "public": False}
        return Request("POST", f"{self._list}/merge-fields", json={**body, "required": False}, pools=["calls"])

    def audience(self) -> Request:
        return self._read("", {"fields": "id,name"})

    def ping(self) -> Request:
        return Request("GET", "/ping", pools=["calls"])

    def _read(self, path: str, query: Mapping[str, Any] = EMPTY) -> Request:
        return Request("GET", self._list + path, query=query, pools=["calls"])

    def _member(self, member: str) -> str:
        return f"{self._list}/members/{member}"
