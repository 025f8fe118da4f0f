"""How the simulated Iterable reads calls and words its answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from connectors.iterable.project import Failed, Project, Refusal
from hub.sdk.kit.simulator.base import SimRequest, SimResponse
from hub.sdk.values import Json

MOST: Final = 1_000


def success(params: Json = None) -> SimResponse:
    return SimResponse(200, {"msg": "", "code": "Success", "params": params})


def object_(request: SimRequest) -> dict[str, Any]:
    body = request.json()
    if not isinstance(body, dict):
        raise Refusal(400, "BadJsonBody", f"[{request.path}] Invalid JSON body", {})
    return body


def elements(request: SimRequest, name: str) -> list[dict[str, Any]]:
    found = object_(request).get(name)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        bad_json(request, f"obj.{name}", "error.path.missing")
    assert isinstance(found, list)
    if len(found) > MOST:
        raise Refusal(400, "BatchTooLarge", f"At most {MOST} are taken in one call")
    return found


def bad_json(request: SimRequest, at: str, words: str) -> None:
    raise Refusal(400, "BadJsonBody", f"[{request.path}] Invalid JSON body", {at: words})


def one_type_each(errors: Mapping[str, Json]) -> None:
    """One value of a wrong type fails the whole call."""
    if errors:
        words = "Request contains data with unexpected types"
        raise Refusal(400, "RequestFieldsTypesMismatched", words, {"validationErrors": dict(errors)})


def bulk(elements: list[dict[str, Any]], take: Callable[[dict[str, Any]], object]) -> SimResponse:
    failed: dict[str, list[str]] = {}
    count = 0
    for one in elements:
        try:
            take(one)
        except Failed as failure:
            count += 1
            failed.setdefault(failure.list_name, []).append(failure.value)
    old = {name: failed.get(name, []) for name in ("invalidEmails", "invalidUserIds")}
    names = [
        f"{kind}{one}"
        for kind in ("invalid", "notFound", "invalidData", "conflict", "forgotten")
        for one in ("Emails", "UserIds")
    ]
    lists = {name: failed.get(name, []) for name in names}
    counts = {"successCount": len(elements) - count, "failCount": count}
    return SimResponse(200, {**counts, **old, "filteredOutFields": [], "createdFields": [], "failedUpdates": lists})


def one_user(act: Callable[[], str]) -> str:
    """A single call about somebody who fails is refused."""
    try:
        return act()
    except Failed as failure:
        if failure.list_name.startswith("forgotten"):
            raise Refusal(409, "ForgottenUserError", "This user has been forgotten") from failure
        if failure.list_name == "invalidEmails":
            raise Refusal(400, "InvalidEmailAddressError", "Invalid email address") from failure
        raise Refusal(400, "InvalidUserIdError", "Invalid userId") from failure


def known_user(project: Project, one: Mapping[str, Any]) -> str:
    found = one_user(lambda: project.find(one) or "")
    if not found:
        raise Refusal(400, "BadParams", "User does not exist in this project")
    return found
