"""A Klaviyo account over HTTP. It validates what Klaviyo validates and answers in its words.

Import jobs advance by the number of polls, rate windows by the clock. Sources: the pages named in docs/connectors/
klaviyo.md; where Klaviyo documents no words, ours are used.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from datetime import UTC
from typing import Any, ClassVar, Final

from connectors.klaviyo import validation
from connectors.klaviyo.account import Account
from connectors.klaviyo.audiences import AudienceEndpoints, resource
from connectors.klaviyo.validation import Invalid, attributes_of, envelope, listed
from hub.sdk.kit.simulator.base import SimRequest, SimResponse, route
from hub.sdk.values import Json, Operation

FAMILIES: Final = (
    ("/api/profile-import", (75, 700)),
    ("/api/profile-bulk-import-jobs", (10, 150)),
    ("/api/profile-subscription", (75, 700)),
    ("/api/profiles", (75, 700)),
    ("/api/event-bulk-create-jobs", (10, 150)),
    ("/api/data-privacy-deletion-jobs", (3, 60)),
    ("/api/lists", (10, 150)),
)
"""Path prefix → calls per second and per minute, in fixed windows (rate_limits_and_error_handling)."""
_FILTER: Final = re.compile(r'(any|equals)\((external_id|email|phone_number|id),(\[.*\]|".*")\)')
_BULK_AT: Final = "/data/attributes/events-bulk-create"
_IMPORT_AT: Final = "/data/attributes/profiles"


class KlaviyoSimulator(AudienceEndpoints):
    sandbox_place: ClassVar[int] = 10
    kept: ClassVar = ("profiles", "events", "messages", "metrics", "lists", "jobs", "deletions")
    example_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.PROFILES: {
            "email": "ada{n}@example.com",
            "first_name": "Ada",
            "location": {"city": "Gdynia", "timezone": "Europe/Warsaw"},
            "properties": {"loyalty_tier": "gold"},
        },
        Operation.EVENTS: {"properties": {"order_id": "order-{n}"}, "value": 28.5, "value_currency": "EUR"},
        Operation.MESSAGES: {"properties": {"incentive_code": "SPRING-{n}"}},
        Operation.AUDIENCE: {"properties": {"vip": True}},
        Operation.CONSENT: {"consent": "SUBSCRIBED", "email": "ada{n}@example.com"},
        Operation.ERASE: {},
    }
    refused_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.PROFILES: {"email": "not an address"},
        Operation.EVENTS: {"value_currency": "euro"},
        Operation.MESSAGES: {"value_currency": "euro"},
        Operation.CONSENT: {"email": "not an address"},
    }

    def __init__(self, *, polls_until_done: int = 2, is_throttling: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.account = Account(profiles=self.profiles, events=self.events)
        self.metrics, self.lists = self.account.metrics, self.account.lists
        self.lists["Y6nRLr"] = {"name": "VIP", "profiles": []}
        self.jobs: dict[str, dict[str, Json]] = {}
        self.deletions: list[dict[str, Json]] = []
        self.flows = {"Incentive Assigned"}
        self.polls_until_done = polls_until_done
        self.is_throttling = is_throttling
        self._windows: Counter[tuple[str, int, int]] = Counter()

    @classmethod
    def example_settings(cls) -> dict[str, Any]:
        return {"api_key": "pk_simulator_0123456789"}

    @classmethod
    def with_value(cls, operation: Operation, fields: Mapping[str, Json], name: str, value: Json) -> dict[str, Json]:  # noqa: ARG003 - all operations keep such things in one place
        return {**fields, "properties": {**fields.get("properties", {}), name: value}}

    def holds(self, operation: Operation, source_id: str) -> bool | None:
        found = self.account.find({"external_id": source_id})
        if operation is Operation.EVENTS:
            return any(event["profile_id"] in found for event in self.events)
        if operation is Operation.MESSAGES:
            return any(message["external_id"] == source_id for message in self.messages)
        return bool(found) is (operation is not Operation.ERASE)

    # ── what stands before every endpoint ────────────────────────────────────────────────────────────────────────

    def refuse(self, request: SimRequest) -> SimResponse | None:
        try:
            self._admit(request)
        except Invalid as invalid:
            return invalid.response
        return self._throttle(request)

    def _admit(self, request: SimRequest) -> None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme != "Klaviyo-API-Key" or not key.startswith("pk_"):
            words = "Missing or invalid authorization scheme. Please use the Authorization header."
            raise Invalid(words, "/data/", status=401, code="not_authenticated")
        if key != self.example_settings()["api_key"]:
            raise Invalid("Incorrect authentication credentials.", "/data/", status=401, code="authentication_failed")
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", request.headers.get("revision", "")):
            raise Invalid("The 'revision' header must be a date such as 2026-07-15.", "/data/")
        if request.method in {"POST", "PATCH"} and "json" not in request.headers.get("content-type", ""):
            raise Invalid("Unsupported media type in request.", status=415, code="unsupported_media_type")
        if len(request.body) > validation.CALL_BYTES:
            raise Invalid("The payload is larger than 5 MB.", status=413, code="payload_too_large")

    def _throttle(self, request: SimRequest) -> SimResponse | None:
        family, limits = _family(request.path)
        second = int(self.clock().timestamp())
        over = False
        for per_s, limit in zip((1, 60), limits, strict=True):
            window = (family, per_s, second // per_s)
            self._windows[window] += 1
            over |= self._windows[window] > limit
        return self.error(429, 1) if over and self.is_throttling else None

    def headers(self, request: SimRequest) -> Mapping[str, str]:
        family, (_, steady) = _family(request.path)
        second = int(self.clock().timestamp())
        left = max(0, steady - self._windows[family, 60, second // 60])
        return {
            "RateLimit-Limit": str(steady),
            "RateLimit-Remaining": str(left),
            "RateLimit-Reset": str(60 - second % 60),
        }

    def error(self, status: int, retry_after_s: float | None) -> SimResponse:
        words = f"Simulated {status}."
        if status == 429:
            words = f"Request was throttled. Expected available in {retry_after_s or 1:g} second."
        headers = {} if retry_after_s is None else {"retry-after": f"{retry_after_s:g}"}
        code = "throttled" if status == 429 else "error"
        return envelope(status, [Invalid(words, status=status, code=code).error], headers)

    # ── profiles ─────────────────────────────────────────────────────────────────────────────────────────────────

    @route("POST", "/api/profile-import")
    def import_profile(self, request: SimRequest) -> SimResponse:
        profile = resource(request)
        validation.profile_shape(profile)
        validation.profile_values(profile)
        profile_id, is_new = self.account.upsert(profile)
        return SimResponse(201 if is_new else 200, {"data": self._shown(profile_id)})

    @route("GET", "/api/profiles")
    def find_profiles(self, request: SimRequest) -> SimResponse:
        found = _FILTER.fullmatch(request.query.get("filter", ""))
        if not found:
            raise Invalid("The filter is not valid.", "filter")
        wanted = json.loads(found[3])
        values = wanted if isinstance(wanted, list) else [wanted]
        ids = [profile_id for value in values for profile_id in self.account.find({found[2]: value})]
        return SimResponse(200, {"data": [self._shown(profile_id) for profile_id in ids], "links": {"next": None}})

    def _shown(self, profile_id: str) -> dict[str, Json]:
        attributes = {name: value for name, value in self.profiles[profile_id].items() if name != "id"}
        return {"type": "profile", "id": profile_id, "attributes": attributes}

    @route("POST", "/api/profile-bulk-import-jobs")
    def start_import(self, request: SimRequest) -> SimResponse:
        attributes = attributes_of(resource(request), "profile-bulk-import-job")
        profiles = listed(attributes.get("profiles"), 10_000, _IMPORT_AT, "profiles")
        for index, profile in enumerate(profiles):
            validation.profile_shape(profile, f"{_IMPORT_AT}/data/{index}")
        job_id = self.account.new_id()
        self.jobs[job_id] = {"profiles": profiles, "total": len(profiles), "status": "queued", "polls": 0, "errors": []}
        return SimResponse(202, {"data": self._job(job_id)})

    @route("GET", "/api/profile-bulk-import-jobs/{job_id}")
    def import_job(self, request: SimRequest) -> SimResponse:
        job = self._known_job(request)
        job["polls"] += 1
        if job["status"] != "complete":
            job["status"] = "processing" if job["polls"] < self.polls_until_done else "complete"
            if job["status"] == "complete":
                job["errors"] = [error for profile in job.pop("profiles") if (error := self._import(profile))]
        return SimResponse(200, {"data": self._job(request.params["job_id"])})

    @route("GET", "/api/profile-bulk-import-jobs/{job_id}/import-errors")
    def import_errors(self, request: SimRequest) -> SimResponse:
        errors = self._known_job(request)["errors"]
        size, start = int(request.query.get("page[size]", "20")), int(request.query.get("page[cursor]", "0"))
        if not 1 <= size <= 100:
            raise Invalid("Page size must be an integer between 1 and 100.", "page[size]")
        end = start + size
        url = f"https://a.klaviyo.com{request.path}?page%5Bcursor%5D={end}"
        return SimResponse(200, {"data": errors[start:end], "links": {"next": url if end < len(errors) else None}})

    def _import(self, profile: dict[str, Any]) -> dict[str, Json] | None:
        """What went wrong with one profile of a job, if anything."""
        try:
            validation.profile_values(profile)
            self.account.upsert(profile)
        except Invalid as invalid:
            told = {name: invalid.error[name] for name in ("code", "title", "detail", "source")}
            payload = {"id": profile.get("id"), **profile["attributes"]}
            attributes = {**told, "original_payload": payload}
            return {"type": "import-error", "id": self.account.new_id(), "attributes": attributes}
        return None

    def _known_job(self, request: SimRequest) -> dict[str, Json]:
        job = self.jobs.get(request.params["job_id"])
        if job is None:
            raise Invalid("A job with this id does not exist.", "job_id", status=404, code="not_found")
        return job

    def _job(self, job_id: str) -> dict[str, Json]:
        job = self.jobs[job_id]
        done = job["status"] == "complete"
        attributes = {
            "status": job["status"],
            "total_count": job["total"],
            "completed_count": job["total"] - len(job["errors"]) if done else 0,
            "failed_count": len(job["errors"]),
        }
        return {"type": "profile-bulk-import-job", "id": job_id, "attributes": attributes}

    # ── events ───────────────────────────────────────────────────────────────────────────────────────────────────

    @route("POST", "/api/event-bulk-create-jobs")
    def create_events(self, request: SimRequest) -> SimResponse:
        attributes = attributes_of(resource(request), "event-bulk-create-job")
        elements = listed(attributes.get("events-bulk-create"), 1_000, _BULK_AT, "events")
        found, errors = [], []
        for index, element in enumerate(elements):
            try:
                found += validation.bulk_event(element, f"{_BULK_AT}/data/{index}", self.clock())
            except Invalid as invalid:
                errors.append(invalid.error)
        if errors:
            return envelope(400, errors)
        now = self.clock().astimezone(UTC).isoformat()
        for profile, event in found:
            self._trigger(self.account.record(profile, event, now))
        return SimResponse(202)

    def _trigger(self, event: Mapping[str, Any] | None) -> None:
        """A flow on the metric mails those it can reach."""
        if event is None or event["backfill"] or event["metric"] not in self.flows:
            return
        profile = self.profiles[event["profile_id"]]
        to = profile.get("email") or profile.get("phone_number")
        if to:
            sent = {"to": to, "external_id": profile.get("external_id"), "metric": event["metric"]}
            self.messages.append({**sent, "properties": event["properties"]})

    # ── erasure ───────────────────────────────────────────────────────────────────────────────────────────

    @route("POST", "/api/data-privacy-deletion-jobs")
    def delete_profile(self, request: SimRequest) -> SimResponse:
        attributes = attributes_of(resource(request), "data-privacy-deletion-job")
        at = "/data/attributes/profile/data"
        holder = attributes.get("profile")
        profile = holder.get("data", {}) if isinstance(holder, dict) else {}
        named = dict(attributes_of(profile, "profile", at))
        if profile.get("id"):
            named["id"] = profile["id"]
        if len(named) != 1 or not named.keys() <= {"id", "email", "phone_number"}:
            raise Invalid("Exactly one of 'email', 'phone_number' and 'id' is required.", at)
        self.deletions.append(named)
        for profile_id in self.account.find(named):
            self.account.delete(profile_id)
        return SimResponse(202)


def _family(path: str) -> tuple[str, tuple[int, int]]:
    return next((family for family in FAMILIES if path.startswith(family[0])), FAMILIES[-1])
