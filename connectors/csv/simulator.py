"""The other end: a system that posts rows, with the secret its operator typed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from hub.sdk.kit.simulator.source import SimulatedSource, post
from hub.sdk.values import InboundRequest, Json


class SimulatedSystem(SimulatedSource):
    signs_the_body: ClassVar[bool] = False

    @classmethod
    def settings(cls, secret: str, previous: str | None = None) -> dict[str, Any]:
        return {"secret": secret, "previous_secret": previous}

    @classmethod
    def example_messages(cls) -> Sequence[Json]:
        at = "2026-03-14T09:00:00Z"
        return [
            {"kind": "customers", "source_id": "cust_1001", "at": at, "traits": {"email": "ada@example.com"}},
            {"kind": "events", "source_id": "cust_1001", "at": at, "event": {"name": "Signed Up"}},
            {"kind": "orders", "source_id": "cust_1001", "at": at, "order": {"id": "o-1", "amount": "12.50"}},
        ]

    def sample_ids(self, number: str) -> Mapping[str, str]:
        return {"cust_1001": number}

    def signed(self, body: bytes, secret: str, now: datetime) -> InboundRequest:
        return post(body, {"authorization": f"Bearer {secret}"}, now)
