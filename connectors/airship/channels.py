"""The simulator's channels: e-mail and SMS, their opt-ins, subscription lists (operations/email, sms)."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from connectors.airship import validation
from connectors.airship.validation import Invalid, body_of
from hub.sdk.kit.simulator.base import SimRequest, SimResponse, Simulator, route
from hub.sdk.values import Json

SENDER = "12345"


class ChannelEndpoints(Simulator):
    kept: ClassVar = ("profiles", "channels", "events", "messages", "opt_in_texts")

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.channels: dict[str, dict[str, Json]] = {}
        self.lists: dict[str, list[str]] = {"offers": []}
        self.opt_in_texts: list[str] = []  # requests to opt in that were texted to somebody
        self._made = 0

    def new_id(self) -> str:
        self._made += 1
        return str(uuid.UUID(int=self._made))

    def channel_of(self, kind: str, address: str) -> str | None:
        wanted = address.lower()
        found = (key for key, one in self.channels.items() if one["type"] == kind and one["address"].lower() == wanted)
        return next(found, None)

    def register(self, kind: str, address: str, said: dict[str, Any]) -> tuple[str, bool]:
        """(channel id, whether it is new). An opt-out that is later than an opt-in stands."""
        known = self.channel_of(kind, address)
        channel_id = known or self.new_id()
        self.channels.setdefault(channel_id, {"named_user": None}).update({**said, "type": kind, "address": address})
        return channel_id, known is None

    # ── e-mail ───────────────────────────────────────────────────────────────────────────────────────────────────

    @route("POST", "/api/channels/email")
    def register_email(self, request: SimRequest) -> SimResponse:
        channel = validation.email_channel(request.json())
        channel_id, is_new = self.register("email", channel["address"], channel)
        body = {"ok": True, "channel_id": channel_id, "attributes": {"ok": True}, "tags": {"ok": True}}
        return SimResponse(201 if is_new else 200, body)

    @route("POST", "/api/channels/email/replace/{channel_id}")
    def replace_email(self, request: SimRequest) -> SimResponse:
        """A new channel with the person of the old one, and nothing else of it; the old one is gone."""
        channel = validation.email_channel(request.json())
        old = self._known(request.params["channel_id"])
        owner = self.channels.pop(old)["named_user"]
        channel_id, _ = self.register("email", channel["address"], channel)
        if owner is not None:
            self.profiles[owner]["channels"].remove(old)
            self.attach(channel_id, owner)
        return SimResponse(201, {"ok": True, "channel_id": channel_id})

    @route("POST", "/api/channels/email/uninstall")
    def uninstall_email(self, request: SimRequest) -> SimResponse:
        address = validation.email(body_of(request.json()).get("email_address"), "email_address")
        self.remove(self._known(self.channel_of("email", address)))
        return SimResponse(200, {"ok": True})

    # ── SMS ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @route("POST", "/api/channels/sms")
    def register_sms(self, request: SimRequest) -> SimResponse:
        body = self._sms(request)
        if "opted_in" in body:
            validation.instant(body["opted_in"], "opted_in")
        else:
            self.opt_in_texts.append(body["msisdn"])
        channel_id, is_new = self.register("sms", body["msisdn"], body)
        return SimResponse(201 if is_new else 200, {"ok": True, "channel_id": channel_id, "status": "pending"})

    @route("POST", "/api/channels/sms/opt-out")
    def opt_out(self, request: SimRequest) -> SimResponse:
        channel_id = self._known(self.channel_of("sms", self._sms(request)["msisdn"]))
        self.channels[channel_id].pop("opted_in", None)
        self.channels[channel_id]["opted_out"] = True
        return SimResponse(202, {"ok": True})

    @route("POST", "/api/channels/sms/uninstall")
    def uninstall_sms(self, request: SimRequest) -> SimResponse:
        self.remove(self._known(self.channel_of("sms", self._sms(request)["msisdn"])))
        return SimResponse(202, {"ok": True})

    def _sms(self, request: SimRequest) -> dict[str, Any]:
        body = body_of(request.json())
        validation.msisdn(body.get("msisdn"))
        if body.get("sender") != SENDER:
            raise Invalid("sender", "is not a sender of this project")
        return body

    # ── lists and owners ─────────────────────────────────────────────────────────────────────────────────────────

    @route("POST", "/api/channels/subscription_lists")
    def subscription_lists(self, request: SimRequest) -> SimResponse:
        body = body_of(request.json())
        wanted = body_of(body.get("subscription_lists"))
        address = validation.email(body_of(body.get("audience")).get("email_address"), "audience.email_address")
        members = self.lists.get(str(wanted.get("list_id")))
        if members is None or wanted.get("action") not in ("subscribe", "unsubscribe"):
            raise Invalid("subscription_lists.list_id", "is not a list of this project")
        channel_id = self._known(self.channel_of("email", address))
        members[:] = [one for one in members if one != channel_id]
        if wanted["action"] == "subscribe":
            members.append(channel_id)
        return SimResponse(202, {"ok": True})

    def attach(self, channel_id: str, owner: str) -> None:
        """A channel has one named user, and a new one steals it; above 100 nothing happens, and nothing is said."""
        before = self.channels[channel_id]["named_user"]
        if before is not None and before in self.profiles:
            self.profiles[before]["channels"].remove(channel_id)
        mine = self.profiles.setdefault(owner, {"channels": [], "attributes": {}, "tags": {}})["channels"]
        if len(mine) < 100:
            mine.append(channel_id)
            self.channels[channel_id]["named_user"] = owner

    def detach(self, channel_id: str, owner: str) -> None:
        if self.channels[channel_id]["named_user"] == owner:
            self.profiles[owner]["channels"].remove(channel_id)
            self.channels[channel_id]["named_user"] = None

    def remove(self, channel_id: str) -> None:
        owner = self.channels.pop(channel_id)["named_user"]
        if owner in self.profiles:
            self.profiles[owner]["channels"].remove(channel_id)

    def _known(self, channel_id: str | None) -> str:
        if channel_id is None or channel_id not in self.channels:
            raise Invalid("", "The channel does not exist.", status=404, code=40401)
        return channel_id
