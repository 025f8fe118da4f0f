"""Pushes to a simulated Klaviyo account, without network and without the hub's outbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from connectors.klaviyo.connector import Klaviyo
from connectors.klaviyo.settings import CodeOptions, KlaviyoSettings, MessageOptions
from connectors.klaviyo.simulator import KlaviyoSimulator
from hub.sdk.contract import NoSettings
from hub.sdk.flow import FlowEnd, run_flow
from hub.sdk.kit.bench.http import without_network
from hub.sdk.kit.simulator.base import ManualClock
from hub.sdk.values import (
    EMPTY,
    AnyPush,
    Batch,
    ErasePush,
    EventPush,
    MessagePush,
    Outcome,
    Pending,
    Person,
    ProfilePush,
    Progress,
    Request,
    Response,
    Waiting,
)

NOW = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
AT = datetime(2026, 3, 14, 8, 59, 58, 750_000, tzinfo=UTC)


def connector(**settings: Any) -> Klaviyo:
    return Klaviyo(KlaviyoSettings.model_validate({**KlaviyoSimulator.example_settings(), **settings}))


def person(source_id: str = "cust_1001", **facts: Any) -> Person:
    return Person(source_id, **facts)


def delivery(number: int) -> str:
    return f"{number:026d}"


def _common(number: int, who: Person, fields: Mapping[str, Any], options: BaseModel, progress: Any) -> dict[str, Any]:
    return {
        "delivery_id": delivery(number),
        "vendor_key": delivery(number),
        "person": who,
        "fields": fields,
        "options": options,
        "at": AT,
        "now": NOW,
        "progress": progress,
    }


def profile_push(
    number: int, who: Person, changed: Mapping[str, Any], unset: Sequence[str] = (), progress: Any = None
) -> ProfilePush:
    return ProfilePush(**_common(number, who, changed, CodeOptions(), progress), changed=changed, unset=unset)


def event_push(number: int, who: Person, name: str, fields: Mapping[str, Any] = EMPTY, **more: Any) -> EventPush:
    return EventPush(**{**_common(number, who, fields, NoSettings(), None), **more}, event_id=f"e{number}", name=name)


def message_push(
    number: int, who: Person, code: str | None, fields: Mapping[str, Any] = EMPTY, **more: Any
) -> MessagePush:
    common = {**_common(number, who, fields, MessageOptions(), None), **more}
    return MessagePush(**common, distribution_id="dist_9", code=code)


def erase_push(number: int, who: Person) -> ErasePush:
    return ErasePush(**_common(number, who, EMPTY, NoSettings(), None), request_id="req_1")


@dataclass
class Account:
    """A connector in front of a simulated account; `outcomes` and `progress` hold what the flows reported."""

    klaviyo: Klaviyo = field(default_factory=connector)
    simulator: KlaviyoSimulator = field(default_factory=lambda: KlaviyoSimulator(clock=ManualClock(NOW)))
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    progress: dict[str, Any] = field(default_factory=dict)
    sent: list[Request] = field(default_factory=list)

    def _send(self, request: Request) -> Response:
        self.sent.append(request)
        return without_network(self.klaviyo, self.simulator, lambda: NOW)(request)

    def _report(self, reports: Sequence[Any]) -> None:
        for report in reports:
            if isinstance(report, Progress):
                self.progress[report.delivery_id] = report.progress
            else:
                self.outcomes[report.delivery_id] = report

    def batch(self, *pushes: AnyPush, route: str = "") -> Batch:
        items = [item for push in pushes for item in self.klaviyo.items(push)]  # type: ignore[union-attr] # a refusal has no items and fails here
        return Batch(route or items[0].route, "", pushes, items, NOW)

    def send(self, *pushes: AnyPush, route: str = "") -> FlowEnd:
        batch = self.batch(*pushes, route=route)
        end = run_flow(batch.records, self.klaviyo.flow(batch), self._send, self.klaviyo.classify, self._report)
        self.simulator.assert_expected()
        return end

    def poll(self) -> FlowEnd:
        """Ask once after everything pending."""
        pending = [outcome for outcome in self.outcomes.values() if isinstance(outcome, Pending)]
        waiting = [Waiting(one.delivery_id, one.find_by) for one in pending]
        flow = self.klaviyo.poll(pending[0].token, waiting)
        return run_flow(waiting, flow, self._send, self.klaviyo.classify, self._report)

    def check(self) -> Any:
        return run_flow([], self.klaviyo.check(), self._send, self.klaviyo.classify, self._report).value

    def profile(self, source_id: str) -> dict[str, Any]:
        """The profile with this external_id."""
        (found,) = [one for one in self.simulator.profiles.values() if one.get("external_id") == source_id]
        return found
