"""The simulator's static lists and subscriptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.iterable.project import Failed, Project, Refusal
from connectors.iterable.replies import bulk, elements, known_user, object_, success
from hub.sdk.kit.simulator.base import SimRequest, SimResponse, Simulator, route


class AudienceEndpoints(Simulator):
    project: Project
    names: dict[int, str]
    lists: dict[int, list[str]]
    groups: set[str]
    subscriptions: dict[str, dict[str, bool]]

    @route("GET", "/api/lists")
    def get_lists(self, request: SimRequest) -> SimResponse:
        shown = [
            {"id": number, "name": name, "listType": "Standard", "createdAt": 0} for number, name in self.names.items()
        ]
        return SimResponse(200, {"lists": [*shown, {"id": 99, "name": "vip", "listType": "Dynamic", "createdAt": 0}]})

    @route("POST", "/api/lists")
    def create_list(self, request: SimRequest) -> SimResponse:
        number = len(self.names) + 1
        self.names[number] = str(object_(request)["name"])
        return SimResponse(200, {"listId": number})

    @route("POST", "/api/lists/subscribe")
    def subscribe(self, request: SimRequest) -> SimResponse:
        members = self._members(request)

        def put(one: Mapping[str, Any]) -> None:
            user = self.project.find(one) or self.project.upsert(one)
            if user not in members:
                members.append(user)

        return bulk(elements(request, "subscribers"), put)

    @route("POST", "/api/lists/unsubscribe")
    def unsubscribe(self, request: SimRequest) -> SimResponse:
        members = self._members(request)

        def take(one: Mapping[str, Any]) -> None:
            name, value = self.project.named(one)
            user = self.project.find(one)
            if user not in members:
                raise Failed("notFound", name, value)
            members.remove(user)

        return bulk(elements(request, "subscribers"), take)

    def _members(self, request: SimRequest) -> list[str]:
        number = object_(request).get("listId")
        if not isinstance(number, int) or number not in self.names:
            raise Refusal(400, "BadParams", "A static list with this listId does not exist")
        return self.lists.setdefault(number, [])

    @route("PATCH", "/api/subscriptions/{group}/{number}/byUserId/{userId}")
    @route("PATCH", "/api/subscriptions/{group}/{number}/user/{email}")
    @route("DELETE", "/api/subscriptions/{group}/{number}/byUserId/{userId}")
    @route("DELETE", "/api/subscriptions/{group}/{number}/user/{email}")
    def toggle(self, request: SimRequest) -> SimResponse:
        group = f"{request.params['group']}/{request.params['number']}"
        if group not in self.groups:
            raise Refusal(404, "NotFound", f"There is no {request.params['group']} with this id")
        user = known_user(
            self.project, {name: request.params[name] for name in ("email", "userId") if name in request.params}
        )
        self.subscriptions.setdefault(user, {})[group] = request.method == "PATCH"
        return success()
