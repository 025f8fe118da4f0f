"""A receiver that wants no more webhooks: sending stops, nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.webhook.connector import Webhook
from connectors.webhook.simulator import SIGNING_KEY
from hub.core.database import write
from hub.registry import store as registry
from hub.sdk.declared import build
from tests.rooms.outbox.world import World

SETTINGS = {"url": "https://receiver.example.com/hooks", "secret": SIGNING_KEY}


@pytest.mark.parametrize("status", [410, 301])
def test_gone_and_moved_pause_the_connection_until_an_operator_resumes_it(hub: World, status: int):
    made: Any = build(Webhook, SETTINGS, {})
    hub.kind = lambda _settings: made  # type: ignore[assignment] # a connector of its own for this connection
    waiting = [hub.decides(f"cust_{n}", "events", record={"event": {"id": f"e{n}"}}) for n in range(3)]
    hub.vendor.says(status, times=10)
    hub.delivers()
    calls = len(hub.vendor.calls)
    hub.delivers(after=86_400)  # no probe asks either

    assert hub.connection().status == "paused"
    assert str(status) in hub.connection().paused_reason
    assert {hub.row(one).state for one in waiting} == {"waiting"}
    assert len(hub.vendor.calls) == calls

    hub.vendor.script.clear()
    with write(hub.database) as database:
        registry.resume(database, hub.connection_id, hub.now)
    hub.delivers()
    assert {hub.state(one) for one in waiting} == {"sent"}
