"""A preview is what is sent: the requests that the outbox makes, on nothing but its input."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.core import clock
from hub.core.clock import HOUR, iso
from hub.preview.preview import Wish, preview
from hub.sdk.values import Operation
from tests.rooms.whole import Whole

AT = iso(clock.now() - HOUR)  # what is older than the memory of message ids is sent to nobody
LATER = iso(clock.now() - HOUR // 2)
STORY: list[dict[str, Any]] = [
    {"type": "identify", "userId": "ada", "messageId": "m-1", "timestamp": AT, "traits": {"email": "ada@example.com"}},
    {"type": "track", "userId": "ada", "messageId": "m-2", "timestamp": LATER, "event": "Signed Up",
     "properties": {"plan": "pro"}},
    {"type": "identify", "userId": "ben", "messageId": "m-3", "timestamp": AT, "traits": {"firstName": "Ben", "vip": True}},
]  # fmt: skip


@pytest.mark.parametrize(("name", "connector"), [("crm", "braze"), ("mail", "klaviyo")])
def test_a_preview_shows_the_requests_that_are_sent(whole: Whole, name: str, connector: str):
    whole.connect(name, "profiles", "events")
    whole.receives(*STORY)
    whole.applies()
    whole.delivers()

    sent = sorted(_comparable(call.path, call.json()) for call in whole.simulators[name].calls() if call.body)
    wish = Wish("segment", connector, [Operation.PROFILES, Operation.EVENTS])
    shown = preview(whole.hub, wish, STORY).requests
    assert sorted(_comparable("/" + one["url"].split("/", 3)[3], one["body"]) for one in shown) == sent


def _comparable(path: str, body: Any) -> str:
    """Without ids that the hub makes, and without an order among records that has no meaning."""
    return json.dumps([path, _without_ids(body)], sort_keys=True)


def _without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_ids(one) for name, one in value.items() if name != "unique_id"}
    if isinstance(value, list):
        return sorted((_without_ids(one) for one in value), key=lambda one: json.dumps(one, sort_keys=True))
    return value


def test_the_same_input_gives_the_same_preview(whole: Whole):
    erasure = {"type": "delete", "userId": "ben", "messageId": "m-9", "timestamp": LATER}
    first, again = (preview(whole.hub, Wish("segment", "webhook"), [*STORY, erasure]) for _ in range(2))
    assert first.requests == again.requests
    assert len(first.requests) > 1


def test_nested_values_stand_in_the_order_in_which_the_hub_keeps_them(whole: Whole):
    """Vendors that take no objects get text of them, or names of which the first wins: the order is seen there."""
    nested = {**STORY[0], "traits": {"email": "ada@example.com", "plan": [{"z": 1, "a": 2}]}}
    shown = preview(whole.hub, Wish("segment", "clevertap", [Operation.PROFILES]), [nested])
    assert '{\\"a\\":2,\\"z\\":1}' in json.dumps(shown.requests)


def test_each_operation_can_be_previewed(whole: Whole):
    """What a message of Segment says of consents, memberships and erasure reaches vendors that have a place for it."""
    for operation in (Operation.PROFILES, Operation.EVENTS, Operation.MESSAGES):
        assert preview(whole.hub, Wish("segment", "braze", [operation]), STORY).requests, operation
    erasure = {"type": "delete", "userId": "ada", "messageId": "m-9", "timestamp": AT}
    erased = preview(whole.hub, Wish("segment", "braze", [Operation.ERASE]), [*STORY, erasure])
    assert [one["url"].rpartition("/")[2] for one in erased.requests] == ["delete"]
    assert "ada" not in json.dumps(preview(whole.hub, Wish("segment", "braze"), [*STORY, erasure]).requests[:-1])


def test_a_preview_touches_no_database(whole: Whole, tmp_path):
    before = sorted(path.name for path in whole.hub.settings.data_dir.iterdir())
    preview(whole.hub, Wish("segment", "braze", settings={"hosts.api": "http://127.0.0.1:1"}), STORY)
    assert sorted(path.name for path in whole.hub.settings.data_dir.iterdir()) == before


def test_an_option_that_nobody_has_is_told(whole: Whole):
    from hub.sdk.errors import ConfigurationError

    with pytest.raises(ConfigurationError, match="no option 'campain'"):
        preview(whole.hub, Wish("segment", "braze", [Operation.MESSAGES], options={"campain": "1"}), STORY)
    shown = preview(whole.hub, Wish("segment", "braze", [Operation.MESSAGES], options={"campaign_id": "mine"}), STORY)
    assert shown.requests[0]["body"]["campaign_id"] == "mine"
    assert any("EXAMPLE" in note for note in shown.notes)


def test_every_destination_can_be_previewed(whole: Whole):
    """Whatever calls its vendor needs, the profile of somebody with an address leads to at least one."""
    told = {**STORY[0], "traits": {"email": "ada@example.com", "phone": "+48500000001", "firstName": "Ada"}}
    able = [
        name
        for name, found in whole.hub.connectors.items()
        if found.destination_class is not None and Operation.PROFILES in found.destination_class.Options
    ]
    silent = [
        name for name in able if not preview(whole.hub, Wish("segment", name, [Operation.PROFILES]), [told]).requests
    ]

    assert len(able) > 10
    assert silent == []
