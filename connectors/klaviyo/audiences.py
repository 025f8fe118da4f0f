"""The simulator's lists and subscriptions (create_list, add_profiles_to_list, bulk_subscribe_profiles and others)."""

from __future__ import annotations

from typing import Any, Final

from connectors.klaviyo.account import Account
from connectors.klaviyo.validation import Invalid, attributes_of, contacts, listed
from hub.sdk.kit.simulator.base import SimRequest, SimResponse, Simulator, route
from hub.sdk.values import Json

_PROFILES_AT: Final = "/data/attributes/profiles"


class AudienceEndpoints(Simulator):
    account: Account

    @route("GET", "/api/lists")
    def get_lists(self, request: SimRequest) -> SimResponse:
        return SimResponse(
            200, {"data": [self._list(list_id) for list_id in self.account.lists], "links": {"next": None}}
        )

    @route("POST", "/api/lists")
    def create_list(self, request: SimRequest) -> SimResponse:
        name = attributes_of(resource(request), "list").get("name")
        if not isinstance(name, str) or not name:
            raise Invalid("'name' is required.", "/data/attributes/name")
        list_id = self.account.new_id(6)
        self.account.lists[list_id] = {"name": name, "profiles": []}
        return SimResponse(201, {"data": self._list(list_id)})

    @route("POST", "/api/lists/{list_id}/relationships/profiles")
    def add_members(self, request: SimRequest) -> SimResponse:
        members, ids = self._members(request)
        members.extend(profile_id for profile_id in ids if profile_id not in members)
        return SimResponse(204)

    @route("DELETE", "/api/lists/{list_id}/relationships/profiles")
    def remove_members(self, request: SimRequest) -> SimResponse:
        members, ids = self._members(request)
        members[:] = [profile_id for profile_id in members if profile_id not in ids]
        return SimResponse(204)

    @route("POST", "/api/profile-subscription-bulk-create-jobs")
    def subscribe(self, request: SimRequest) -> SimResponse:
        return self._consent(request, "create", 1_000)

    @route("POST", "/api/profile-subscription-bulk-delete-jobs")
    def unsubscribe(self, request: SimRequest) -> SimResponse:
        return self._consent(request, "delete", 100)

    def _consent(self, request: SimRequest, verb: str, limit: int) -> SimResponse:
        attributes = attributes_of(resource(request), f"profile-subscription-bulk-{verb}-job")
        profiles = listed(attributes.get("profiles"), limit, _PROFILES_AT, "profiles")
        is_history = attributes.get("historical_import", False)
        wanted = [
            _subscription(profile, f"{_PROFILES_AT}/data/{index}", verb, is_history=is_history)
            for index, profile in enumerate(profiles)
        ]
        self._join(request, [identifiers for identifiers, _ in wanted])
        for identifiers, subscriptions in wanted:
            profile_id, _ = self.account.upsert({"attributes": identifiers})
            self.account.profiles[profile_id].setdefault("subscriptions", {}).update(subscriptions)
        return SimResponse(202)

    def _join(self, request: SimRequest, people: list[dict[str, Any]]) -> None:
        """The list that the job names gets those who subscribe. Unsubscribing with one is global for others: never sent."""
        related = resource(request).get("relationships")
        if related is None:
            return
        found = self.account.lists.get(related["list"]["data"]["id"])
        if found is None:
            raise Invalid("A list with this id does not exist.", "/data/relationships/list/data/id", status=404)
        for identifiers in people:
            profile_id, _ = self.account.upsert({"attributes": identifiers})
            if profile_id not in found["profiles"]:
                found["profiles"].append(profile_id)

    def _members(self, request: SimRequest) -> tuple[list[str], list[str]]:
        """The members of the list in the path, and the ids of the profiles in the body."""
        found = self.account.lists.get(request.params["list_id"])
        if found is None:
            raise Invalid("A list with this id does not exist.", "id", status=404, code="not_found")
        ids = [str(one.get("id")) for one in listed(request.json(), 1_000, "", "profiles") if isinstance(one, dict)]
        for index, profile_id in enumerate(ids):
            if profile_id not in self.account.profiles:
                words = f"A profile with id {profile_id} does not exist."
                raise Invalid(words, f"/data/{index}/id", status=404, code="not_found")
        return found["profiles"], ids

    def _list(self, list_id: str) -> dict[str, Json]:
        return {"type": "list", "id": list_id, "attributes": {"name": self.account.lists[list_id]["name"]}}


def resource(request: SimRequest) -> dict[str, Any]:
    """`data` of the JSON:API envelope."""
    body = request.json()
    found = body.get("data") if isinstance(body, dict) else None
    if not isinstance(found, dict):
        raise Invalid("The payload provided in the request is invalid.", "/data")
    return found


def _subscription(profile: Json, at: str, verb: str, *, is_history: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Identifiers and subscriptions of one profile of a subscription job."""
    attributes = attributes_of(profile, "profile", at)
    subscriptions = attributes.get("subscriptions")
    if not isinstance(subscriptions, dict) or not subscriptions:
        raise Invalid("'subscriptions' is required.", f"{at}/attributes/subscriptions")
    contacts(attributes, at)
    for channel, key in (("sms", "phone_number"), ("email", "email")):
        if channel in subscriptions and not attributes.get(key):
            words = f"'{key}' must not be empty when the {channel} channel is included in 'subscriptions'."
            raise Invalid(words, f"{at}/attributes/{key}")
    wanted = "SUBSCRIBED" if verb == "create" else "UNSUBSCRIBED"
    for channel, kinds in subscriptions.items():
        for kind, said in kinds.items():
            here = f"{at}/attributes/subscriptions/{channel}/{kind}"
            if said.get("consent") != wanted:
                raise Invalid(f"'consent' must be '{wanted}'.", f"{here}/consent")
            if is_history != bool(said.get("consented_at")):
                raise Invalid("'consented_at' goes with historical_import, and only with it.", f"{here}/consented_at")
    return {key: attributes[key] for key in ("email", "phone_number") if attributes.get(key)}, subscriptions
