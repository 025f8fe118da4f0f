"""The simulator's event tracking (track-event), and how this vendor's bodies and pages are read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import parse_qs

from connectors.activecampaign.account import refusal
from connectors.activecampaign.imports import ImportEndpoints
from hub.sdk.kit.simulator.base import Refused, SimRequest, SimResponse, route
from hub.sdk.values import Json

MOST_ROWS: Final = 100


class TrackingEndpoints(ImportEndpoints):
    """Names that are not listed are taken with 200 and not kept, unless `knows_any_event`."""

    tracking: bool
    knows_any_event: bool

    @route("GET", "/api/3/eventTracking")
    def event_tracking(self, request: SimRequest) -> SimResponse:
        return SimResponse(200, {"eventTracking": {"enabled": self.tracking}})

    @route("GET", "/api/3/eventTrackingEvents")
    def event_names(self, request: SimRequest) -> SimResponse:
        names = [{"name": name} for name in self.account.event_names]
        return SimResponse(200, page(request, "eventTrackingEvents", names))

    @route("POST", "/api/3/eventTrackingEvents")
    def create_event(self, request: SimRequest) -> SimResponse:
        name = str(told_in(request, "eventTrackingEvent").get("name") or "")
        if not name or len(name) > 32:
            raise refusal(422, "The name of an event has 1 to 32 characters.", "invalid", "/data/attributes/name")
        if name in self.account.event_names:
            raise refusal(422, "The event exists already.", "duplicate", "/data/attributes/name")
        self.account.event_names.append(name)
        return SimResponse(201, {"eventTrackingEvent": {"name": name}})

    @route("POST", "/event")
    def track(self, request: SimRequest) -> SimResponse:
        """Failures have status 200 here; the vendor does not document their status."""
        told = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        good = self.example_settings()
        if told.get("actid") != good["event_actid"]:
            return SimResponse(200, {"success": 0, "message": "An account ID must be provided."})
        if told.get("key") != good["event_key"]:
            return SimResponse(200, {"success": 0, "message": "The event key is not valid."})
        name, email = told.get("event", ""), _email(told.get("visit", ""))
        if not name or len(name) > 32 or not email:
            return SimResponse(200, {"success": 0, "message": "An event needs a name and an email."})
        if name in self.account.event_names or self.knows_any_event:
            contact = self.account.find(email)
            self.events.append({"contact": contact, "email": email, "event": name, "eventdata": told.get("eventdata")})
        return SimResponse(200, {"success": 1, "message": "Event spawned"})


def told_in(request: SimRequest, name: str) -> dict[str, Any]:
    """The object that the body holds under that name."""
    body = request.json()
    found = body.get(name) if isinstance(body, dict) else None
    if not isinstance(found, dict):
        raise Refused(SimResponse(400, {}))
    return found


def page(request: SimRequest, name: str, rows: Iterable[Json]) -> dict[str, Json]:
    """`limit` is 20 unless given, and 100 at most."""
    listed = list(rows)
    limit, offset = min(MOST_ROWS, int(request.query.get("limit", "20"))), int(request.query.get("offset", "0"))
    return {name: listed[offset : offset + limit], "meta": {"total": str(len(listed))}}


def _email(visit: str) -> str:
    try:
        found = json.loads(visit)
    except ValueError:
        return ""
    return str(found.get("email") or "") if isinstance(found, dict) else ""
