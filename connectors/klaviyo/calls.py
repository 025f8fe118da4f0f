"""Klaviyo's calls, as requests. Every call names the API revision and speaks JSON:API."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from hub.sdk.values import EMPTY, Json, Request

MEDIA_TYPE: Final = "application/vnd.api+json"
PAGE_SIZE: Final = 100


class Calls:
    def __init__(self, revision: str) -> None:
        self._headers = {"revision": revision, "accept": MEDIA_TYPE, "content-type": MEDIA_TYPE}

    def import_profile(self, profile: Json) -> Request:
        return self.post("/api/profile-import", profile)

    def start_import(self, profiles: Sequence[Json]) -> Request:
        attributes = {"profiles": {"data": list(profiles)}}
        return self.post("/api/profile-bulk-import-jobs", {"type": "profile-bulk-import-job", "attributes": attributes})

    def import_job(self, job_id: str) -> Request:
        return self._get(f"/api/profile-bulk-import-jobs/{job_id}", pool="profile_jobs")

    def import_errors(self, job_id: str, cursor: str | None) -> Request:
        query = {"page[size]": str(PAGE_SIZE)} | ({"page[cursor]": cursor} if cursor else {})
        return self._get(f"/api/profile-bulk-import-jobs/{job_id}/import-errors", query, pool="profile_jobs")

    def create_events(self, events: Sequence[Json]) -> Request:
        attributes = {"events-bulk-create": {"data": list(events)}}
        return self.post("/api/event-bulk-create-jobs", {"type": "event-bulk-create-job", "attributes": attributes})

    def find_profiles(self, source_ids: Sequence[str]) -> Request:
        """At most PAGE_SIZE of them; one page holds all."""
        names = ",".join(json.dumps(one, ensure_ascii=False) for one in source_ids)
        query = {"filter": f"any(external_id,[{names}])"}
        if len(source_ids) > 1:
            query["page[size]"] = str(PAGE_SIZE)
        return self._get("/api/profiles", query, pool="profiles")

    def list_members(self, verb: str, list_id: str, profile_ids: Sequence[str]) -> Request:
        data = [{"type": "profile", "id": one} for one in profile_ids]
        path = f"/api/lists/{quote(list_id, safe='')}/relationships/profiles"
        return Request(verb, path, headers=self._headers, json={"data": data})

    def delete_profile(self, target: Mapping[str, str]) -> Request:
        """`target` is exactly one of {"id"}, {"email"} and {"phone_number"}; external_id is not accepted."""
        named = {"id": target["id"]} if "id" in target else {"attributes": dict(target)}
        attributes = {"profile": {"data": {"type": "profile", **named}}}
        return self.post(
            "/api/data-privacy-deletion-jobs", {"type": "data-privacy-deletion-job", "attributes": attributes}
        )

    def lists(self) -> Request:
        return self._get("/api/lists", pool="lists")

    def post(self, path: str, resource: Mapping[str, Any]) -> Request:
        return Request("POST", path, headers=self._headers, json={"data": resource})

    def _get(self, path: str, query: Mapping[str, str] = EMPTY, *, pool: str) -> Request:
        return Request("GET", path, query=query, headers=self._headers, pools=[pool])
