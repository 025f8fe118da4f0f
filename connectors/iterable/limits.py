"""Iterable's limits and endpoints, each with the page that says so.

Iterable works off its bulk and its single endpoints apart from each other, so that a person's data may be written in
another order than it was sent. Profiles and events therefore always take the bulk endpoint, be it for one record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from connectors.iterable.settings import IterableSettings
from hub.sdk.values import Operation, Pool, Rate, Route

DOCS: Final = "https://api.iterable.com/api/docs"
UNSTATED: Final = f"{DOCS} states none; set in calls_per_s and list_calls_per_s"
BULK_BYTES: Final = 3_900_000  # of 4 MB, which is for the whole body
BULK_ITEMS: Final = 1_000  # rudderlabs/rudder-transformer and segmentio/action-destinations send so many
_AFTER: Final = (Operation.PROFILES,)
_TARGET: Final = Route(f"{DOCS}#email_target", ["targets"], after=_AFTER)
_EVENTS: Final = Route(
    f"{DOCS}#events_trackBulk",
    ["events"],
    items=BULK_ITEMS,
    bytes=BULK_BYTES,
    items_per_profile=1,
    repeat="deduplicated",
    after=_AFTER,
    timeout_s=60,
)

ROUTES: Final[Mapping[str, Route]] = {
    "profiles": Route(
        f"{DOCS}#users_bulkUpdateUser",
        ["profiles"],
        items=BULK_ITEMS,
        bytes=BULK_BYTES,
        items_per_profile=1,
        repeat="safe",
        timeout_s=60,
    ),
    "renames": Route(f"{DOCS}#users_updateEmail", ["renames"], repeat="safe"),
    "events": _EVENTS,
    "messages": _EVENTS,
    "purchases": Route(f"{DOCS}#commerce_trackPurchase", ["purchases"], repeat="deduplicated", after=_AFTER),
    **dict.fromkeys(("email", "sms", "push", "in_app"), _TARGET),
    "journey": Route(f"{DOCS}#workflows_triggerWorkflow", ["journeys"], after=_AFTER),
    "lists": Route(
        f"{DOCS}#lists_subscribe",
        ["lists"],
        items=BULK_ITEMS,
        bytes=BULK_BYTES,
        items_per_profile=1,
        repeat="safe",
        after=_AFTER,
    ),
    "subscriptions": Route(f"{DOCS}#subscriptions", ["subscriptions"], repeat="safe"),
    "forget": Route(f"{DOCS}#users_forget", ["forget"], repeat="safe"),
    "delete": Route(f"{DOCS}#users_delete", ["delete"], repeat="safe"),
}
"""Failures are told by identifier, so a person stands in a bulk call once. An event or a purchase whose id Iterable knows
is updated; a targeted message is sent again."""


def pools(settings: IterableSettings) -> dict[str, Pool]:
    """Others report a leaky bucket, so the calls of the small windows are spread evenly."""
    unstated = ("purchases", "targets", "subscriptions", "renames")
    return {
        "profiles": Pool([Rate(5, 1, burst=1)], source=f"{DOCS}#users_bulkUpdateUser"),
        "events": Pool([Rate(10, 1, burst=1)], source=f"{DOCS}#events_trackBulk"),
        "forget": Pool([Rate(3, 1, burst=1), Rate(1_000, 86_400)], source=f"{DOCS}#users_forget"),
        "delete": Pool([Rate(100, 1)], source=f"{DOCS}#users_delete"),
        "lookups": Pool([Rate(100, 1)], source=f"{DOCS}#lists_getLists"),
        "fields": Pool([Rate(3, 1)], source=f"{DOCS}#users_getFields"),
        **{name: Pool([Rate(settings.calls_per_s, 1)], source=UNSTATED) for name in unstated},
        **{name: Pool([Rate(settings.list_calls_per_s, 1)], source=UNSTATED) for name in ("lists", "journeys")},
    }
