"""The other end: Privacy, which vouches for its requests by a secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from hub.sdk.json import dumps
from hub.sdk.kit import SimulatedSource, post
from hub.sdk.values import InboundRequest, Json


class SimulatedPrivacy(SimulatedSource):
    signs_the_body = False
    takes_batches = False

    @classmethod
    def settings(cls, secret: str, previous: str | None = None) -> dict[str, Any]:
        return {"secret": secret, "previous_secret": previous}

    @classmethod
    def example_messages(cls) -> Sequence[Json]:
        return [{"id": f"m-{n}", "user_id": "cust_1", "kind": "profile", "email": "ada@example.com"} for n in (1, 2)]

    def sample_ids(self, number: str) -> Mapping[str, str]:
        return {"m-1": f"m-{number}", "cust_1": number}

    def erasure(self, request_id: str, callback: str, secret: str, now: datetime) -> InboundRequest:
        body = {"id": request_id, "user_id": "cust_1", "kind": "erasure", "callback": callback}
        return self.signed(dumps(body), secret, now)

    def question(self, request_id: str, secret: str, now: datetime, *, withdraw: bool = False) -> InboundRequest:
        method = "DELETE" if withdraw else "GET"
        return replace(self.signed(b"", secret, now), method=method, path=f"/{request_id}")

    def signed(self, body: bytes, secret: str, now: datetime) -> InboundRequest:
        return post(body, {"x-secret": secret}, now)
