"""The other end: what mParticle's webhook output posts, with the Authorization value its operator typed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

from hub.sdk.json import dumps
from hub.sdk.kit.simulator.source import SimulatedSource, post
from hub.sdk.values import InboundRequest, Json


class SimulatedMParticle(SimulatedSource):
    signs_the_body: ClassVar[bool] = False

    @classmethod
    def settings(cls, secret: str, previous: str | None = None) -> dict[str, Any]:
        return {"authorization": f"Bearer {secret}", "previous_authorization": previous and f"Bearer {previous}"}

    @classmethod
    def example_messages(cls) -> Sequence[Json]:
        def batch(number: int, event_type: str, data: dict[str, Json]) -> Json:
            return {
                "events": [{"event_type": event_type, "data": {"timestamp_unixtime_ms": 1773478800120, **data}}],
                "user_attributes": {"$FirstName": "Ada", "points": "120"},
                "user_identities": [{"identity_type": "customer_id", "identity": "cust_1001"}],
                "mpid": 3036684060787948417,
                "message_id": f"6e7ab5f0-0000-4e43-8a4e-00000000000{number}",
                "timestamp_unixtime_ms": 1773478800500,
                "environment": "production",
            }

        return [
            batch(1, "custom_event", {"event_name": "Signed Up", "custom_event_type": "other"}),
            batch(2, "screen_view", {"screen_name": "Tents"}),
            batch(3, "session_start", {}),
        ]

    def erasure(self, request_id: str, callback: str, secret: str, now: datetime) -> InboundRequest:
        body = {
            "regulation": "gdpr",
            "subject_request_id": request_id,
            "subject_request_type": "erasure",
            "subject_identities": {"controller_customer_id": {"value": "cust_1001", "encoding": "raw"}},
            "status_callback_urls": [callback],
            "api_version": "3.0",
        }
        return replace(self.signed(dumps(body), secret, now), path="/opendsr/v3/requests")

    def question(self, request_id: str, secret: str, now: datetime, *, withdraw: bool = False) -> InboundRequest:
        asked = self.signed(b"", secret, now)
        return replace(asked, method="DELETE" if withdraw else "GET", path=f"/opendsr/v3/requests/{request_id}")

    def sample_ids(self, number: str) -> Mapping[str, str]:
        return {"6e7ab5f0-0000-4e43-8a4e-000000000001": number, "cust_1001": number}

    def signed(self, body: bytes, secret: str, now: datetime) -> InboundRequest:
        return post(body, {"authorization": f"Bearer {secret}"}, now)
