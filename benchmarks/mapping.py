"""Mapping by the bundled files, per second on one core.

    python -m benchmarks.mapping

Inbound: parsed sample messages to changes, the message's time included. Outbound: one full profile to a vendor's fields.
Short passes are timed one by one and the fastest tenth counts, since whatever else runs on the machine only ever slows them
down.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.rows import Row
from hub.mapping.inbound import compile_inbound
from hub.mapping.outbound import compile_outbound
from hub.mapping.versions.files import Folders
from hub.mapping.versions.version import resolve
from hub.sdk.json import loads

SAMPLES = Path(__file__).resolve().parent.parent / "tests" / "samples"
RECEIVED_AT = 1_775_113_200_000_000  # after every sample was sent
SECONDS = 4.0
PASS = 30  # rows, about a millisecond
INBOUND_GOAL = 50_000
OUTBOUND_GOAL = 30_000

PROFILE: dict[str, Any] = {
    "source_id": "cust_10482", "name": "Ada Quill", "first_name": "Ada", "last_name": "Quill", "email": "ada.quill@example.com",
    "phone": "+442079460018", "birthdate": "1988-11-02", "gender": "female", "locale": "en-GB", "timezone": "Europe/London",
    "created_at": "2021-05-04T08:15:00Z",
    "address": {"line_1": "4 Lantern Row", "city": "Bristol", "postal_code": "BS1 4ZZ", "country": "GB"},
    "metadata": {"title": "Head of Trails", "loyalty_tier": "gold", "points": 1280, "newsletter": True, "tags": ["a", "b"]},
    "identities": {"email": ["ada.quill@example.com"]}, "consents": {"email": {"status": "granted", "at": "2026-03-14T09:00:00Z"}},
    "groups": {}, "audiences": {},
}  # fmt: skip
SCOPE: dict[str, Any] = {
    "profile": PROFILE,
    "code": {"code": "SPRING-7QX2", "value": 500, "expires_at": "2026-04-01T00:00:00Z"},
    "distribution": {"id": "d1", "name": "Spring"},
    "delivery": {"id": "01J00000000000000000000001"},
    "options": {},
}


def run() -> list[Row]:
    """One row per bundled file; about 16 seconds."""
    segment, mparticle = _inbound("segment", _segment()), _inbound("mparticle", _mparticle())
    return [segment, mparticle, _outbound("braze"), _outbound("klaviyo")]


def _inbound(name: str, messages: list[dict[str, Any]]) -> Row:
    mapping = compile_inbound(resolve(name, "", Folders()).document, connection_id="c", options={"currency": "GBP"})
    rate = _rate(lambda row: mapping.apply(row, message_id="m", received_at=RECEIVED_AT), messages)
    events = sum(len(one["events"]) for one in messages if isinstance(one.get("events"), list))
    with_events = f" with {events} events" if events else ""
    detail = f"{1e6 / rate:.1f} µs each, over {len(messages)} sample messages of every kind{with_events}"
    return Row(f"{name}.yaml, messages mapped", rate, None, None, INBOUND_GOAL, detail, goal_for="least")


def _outbound(name: str) -> Row:
    mapping = compile_outbound(resolve(name, "", Folders()).document)
    rate = _rate(lambda scope: mapping.apply("profiles", scope), [SCOPE])
    detail = f"{1e6 / rate:.1f} µs each, a profile of 21 values with a code"
    return Row(f"{name}.yaml, profiles mapped", rate, None, None, OUTBOUND_GOAL, detail, goal_for="least")


def _mparticle() -> list[dict[str, Any]]:
    """Every sample as its connector hands it over; a batch is one message, with all its events."""
    from connectors.mparticle.firehose import is_firehose, receive
    from connectors.mparticle.messages import decode

    found: list[Any] = []
    for path in sorted((SAMPLES / "mparticle").glob("*.json")):
        value, encode = decode(path.read_bytes())
        if is_firehose(value):
            found += [loads(one.body) for one in receive(value, encode).messages]
        else:
            found += value if isinstance(value, list) else [value]
    return [one for one in found if isinstance(one, dict)]


def _segment() -> list[dict[str, Any]]:
    """Every sample message, as the connector hands it over."""
    found: list[dict[str, Any]] = []
    for path in sorted((SAMPLES / "segment").glob("*.json")):
        body = json.loads(path.read_text(encoding="utf-8"))
        if path.stem == "signature_vectors":
            continue
        if isinstance(body, list):
            found += body
        elif "batch" in body:
            found += [{**message, "sentAt": body["sentAt"]} for message in body["batch"]]
        else:
            found.append({"type": "track", **body} if "writeKey" in body else body)
    return found


def _rate(work: Callable[[dict[str, Any]], Any], rows: Sequence[dict[str, Any]]) -> float:
    """Rows per second of CPU time in the fastest tenth of the passes."""
    passes: list[int] = []
    repeats = max(1, PASS // len(rows))
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        began = time.process_time_ns()
        for _ in range(repeats):
            for row in rows:
                work(row)
        passes.append(time.process_time_ns() - began)
    fast = sorted(passes)[: max(1, len(passes) // 10)]
    return repeats * len(rows) * 1e9 / statistics.median(fast)


if __name__ == "__main__":
    for row in run():
        print(f"{row.name}: {row.value:,.0f}/s, {row.verdict}; {row.detail}")
