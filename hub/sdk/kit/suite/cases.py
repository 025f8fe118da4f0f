"""Cases: what a connector does, written down as data before it is programmed. One runner for all.

A `cases/*.yaml` holds a list. A destination's case says what is pushed and, if the simulator's own answer will not do,
what the vendor answers; it expects requests and outcomes:

    - id: a-partial-failure-names-the-record
      description: Two profiles in one call, the second with an address the vendor refuses.
      success: Only the second is refused, with the vendor's words.
      given:
        settings: {objects_per_call: 50}              # over the example settings
        pushes:
          - profiles: {source_id: cust_1, fields: {email: ada@example.com}, unset: [nickname]}
          - profiles: {source_id: cust_2, fields: {email: nope}}
        answers:                                      # in turn; without it the simulator answers
          - {status: 201, headers: {}, json: {message: success}}
      expect:
        requests: [{method: POST, path: /users, query: {}, headers: {}, json: {...}, form: {}}]
        outcomes: [accepted, {rejected: not a valid email}]     # or {again: why}, pending, {error: RateLimited}
        state: {profiles: {cust_1: {email: ada@example.com}}}   # a part of what the simulator holds

A source's case says what comes in and which messages it makes:

      given: {settings: {...}, request: {method: POST, path: "", headers: {}, query: {}, json: {...}}}   # or text: ...
      expect: {messages: [{dedup_key: m1, authentic: true, json: {...}}], reply: {status: 200, json: {...}}}
      expect: {error: SignatureInvalid, reply: {status: 401}}

In a push: `source_id`, `fields`, and as needed `changed`, `unset`, `email`, `phone`, `options`, `name`, `code`, `at`,
`event_id`, `audience`, `member`, `consent`, `remembered`, `previous`, `attempt`, `progress`, `delivery_id`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from hub.sdk.declared import build, example_settings, validated
from hub.sdk.errors import InboundError
from hub.sdk.json import dumps, loads
from hub.sdk.kit.bench.bench import Bench, Settled, in_memory
from hub.sdk.kit.bench.pushes import EVENT_NAME, push
from hub.sdk.kit.simulator.base import ManualClock
from hub.sdk.kit.subject import Subject
from hub.sdk.kit.suite.compare import compare
from hub.sdk.kit.suite.failed import CheckFailed, require
from hub.sdk.values import (
    Accepted,
    Again,
    AnyPush,
    InboundRequest,
    Json,
    Operation,
    Pending,
    Person,
    RawMessage,
    Rejected,
    Reply,
    Request,
    Response,
)
from hub.sdk.wire import Wire, encode

REQUIRED = ("id", "description", "success", "given", "expect")
HOST = "http://case.invalid"


@dataclass(frozen=True, slots=True)
class Case:
    """One case of a file."""

    id: str
    description: str
    success: str
    given: Mapping[str, Json]
    expect: Mapping[str, Json]
    file: Path
    line: int = 1


def load_cases(files: Sequence[Path]) -> list[Case]:
    """Every case of these files. Raises CheckFailed for a file that holds no well-formed cases, or an id twice."""
    cases: list[Case] = []
    for file in files:
        text = file.read_text("utf-8")
        entries = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader that knows fewer types
        require(isinstance(entries, list), f"{file.name} must hold a list of cases")
        for entry, line in zip(entries, _lines(text), strict=True):
            missing = [name for name in REQUIRED if not isinstance(entry, dict) or not entry.get(name)]
            require(not missing, f"{file}:{line}: a case lacks {', '.join(missing)}")
            unknown = sorted(set(entry) - set(REQUIRED))
            require(not unknown, f"{file}:{line}: the case {entry['id']} has unknown keys {', '.join(unknown)}")
            cases.append(Case(file=file, line=line, **entry))
    ids = [case.id for case in cases]
    twice = sorted({one for one in ids if ids.count(one) > 1})
    require(not twice, f"these case ids appear twice: {', '.join(twice)}")
    return cases


def _lines(text: str) -> list[int]:
    """Where each entry of a list begins."""
    root = yaml.compose(text, Loader=_Loader)
    return [] if root is None else [one.start_mark.line + 1 for one in root.value]


def run_case(subject: Subject, case: Case) -> None:
    """Raises CheckFailed with the difference, and the case's success sentence, if the connector does otherwise."""
    try:
        if "request" in case.given:
            _run_inbound(subject, case)
        else:
            _run_outbound(subject, case)
    except CheckFailed as failed:
        raise CheckFailed(f"{case.file}:{case.line}: {case.id}: {failed}. Success means: {case.success}") from None


class _Loader(yaml.SafeLoader):
    """Plain YAML: a time is the text that goes over the wire, and `no`, `on` and `yes` are words."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if not tag.endswith((":timestamp", ":bool"))]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


# ── destinations ─────────────────────────────────────────────────────────────────────────────────────────────────


def _run_outbound(subject: Subject, case: Case) -> None:
    bench = in_memory(subject, case.given.get("settings"))
    if "clock" in case.given:
        bench.clock.at = _time(case.given["clock"], bench.clock)
    sent: list[Wire] = []
    answers = list(case.given.get("answers", ()))
    hosts = dict.fromkeys(bench.destination.hosts(), HOST)
    own = bench.send

    def send(request: Request) -> Response:
        sent.append(encode(request, hosts, bench.destination.auth(), masked=True))
        if "answers" not in case.given:
            return own(request)
        require(answers, f"the connector made a call more than there are answers: {request.method} {request.path}")
        answer = answers.pop(0)
        body = answer["text"].encode() if "text" in answer else dumps(answer["json"]) if "json" in answer else b""
        headers = {name.lower(): str(value) for name, value in answer.get("headers", {}).items()}
        return Response(answer.get("status", 200), headers, body, bench.clock())

    bench.send = send
    pushes = [_push(bench, number, given) for number, given in enumerate(case.given["pushes"])]
    settled = _attempt(bench, pushes) if case.given.get("attempts") == 1 else bench.settle(pushes)
    if "requests" in case.expect:
        _compare_requests(case.expect["requests"], sent)
    if "outcomes" in case.expect:
        wanted = case.expect["outcomes"]
        require(len(wanted) == len(pushes), f"{len(wanted)} outcomes are expected for {len(pushes)} pushes")
        for one, words in zip(pushes, wanted, strict=True):
            _compare_outcome(one, words, settled.get(one.delivery_id))
    if "state" in case.expect:
        compare("the simulator's state", case.expect["state"], loads(dumps(bench.simulator.state())), partial=True)
    bench.simulator.assert_expected()


def _attempt(bench: Bench, pushes: Sequence[AnyPush]) -> dict[str, Settled]:
    """One attempt only, for cases about what is to be repeated."""
    batches, refused = bench.batches(pushes)
    results: dict[str, Settled] = {one.delivery_id: one for one in refused}
    for batch in batches:
        end, reports = bench.run(batch)
        results.update(
            {one.delivery_id: one for one in reports if isinstance(one, Accepted | Rejected | Again | Pending)}
        )
        if end.error is not None:
            results.update(dict.fromkeys(end.open_ids, end.error))
    return results


def _push(bench: Bench, number: int, given: Mapping[str, Any]) -> AnyPush:
    ((kind, said),) = given.items()
    operation = Operation(kind)
    source_id = said["source_id"]
    model = bench.destination.Options[operation]
    options = validated(model, {**example_settings(model), **said.get("options", {})}, "of the case's options")
    known = {
        name: said[name]
        for name in ("email", "phone", "previous", "remembered", "consents", "audiences")
        if name in said
    }
    if "remembered" in said:
        bench.remembered[source_id] = dict(said["remembered"])
    return push(
        operation,
        **{
            "delivery_id": f"D{number:025d}",
            "name": EVENT_NAME,
            **{name: value for name, value in said.items() if name not in {"source_id", "options", "at", *known}},
            "fields": said.get("fields", {}),
            "person": Person(source_id, **known),
            "options": options,
            "at": _time(said.get("at"), bench.clock),
            "now": bench.clock(),
        },
    )


def _time(text: str | None, clock: ManualClock) -> datetime:
    return clock() if text is None else datetime.fromisoformat(text)


def _compare_requests(wanted: Sequence[Mapping[str, Json]], sent: Sequence[Wire]) -> None:
    shown = [f"{wire.method} {wire.url.removeprefix(HOST)}" for wire in sent]
    require(
        len(wanted) == len(sent), f"{len(wanted)} requests are expected, there were {len(sent)}: {', '.join(shown)}"
    )
    for number, (one, wire) in enumerate(zip(wanted, sent, strict=True), 1):
        path, _, query = wire.url.removeprefix(HOST).partition("?")
        where = f"request {number}"
        for name, actual in (("method", wire.method), ("path", path), ("query", query)):
            if name in one:
                compare(f"{where}, {name}", one[name], actual)
        if "headers" in one:
            compare(f"{where}, headers", one["headers"], dict(wire.headers), partial=True)
        if "text" in one:
            compare(f"{where}, text", one["text"], (wire.body or b"").decode())
        if "json" in one:
            compare(f"{where}, json", one["json"], loads(wire.body or b"null"))


def _compare_outcome(one: AnyPush, wanted: Json, got: Settled | None) -> None:
    kind, words = (wanted, "") if isinstance(wanted, str) else next(iter(wanted.items()))
    who = f"the outcome of {one.person.source_id}"
    name = "error" if isinstance(got, Exception) else type(got).__name__.lower()
    require(kind == name, f"{who} is {name} ({got}), expected was {kind} {words}")
    if isinstance(got, Rejected | Again):
        require(str(words) in got.reason, f"{who} says {got.reason!r}, expected was {words!r}")
    elif isinstance(got, Exception):
        require(words in (type(got).__name__, ""), f"{who} is {type(got).__name__}, expected was {words}")
    elif isinstance(got, Accepted) and isinstance(words, Mapping):
        actual = {"remember": dict(got.remember), "notices": list(got.notices), "receipt": got.receipt}
        compare(who, words, actual, partial=True)


# ── sources ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _run_inbound(subject: Subject, case: Case) -> None:
    if subject.source_class is None:
        raise CheckFailed(f"{subject.name} is not a source")
    settings = {**example_settings(subject.source_class.Settings), **case.given.get("settings", {})}
    source = build(subject.source_class, settings, {})
    request = _inbound(case.given["request"])
    messages: Sequence[RawMessage] = ()
    reply: Reply
    try:
        received = source.receive(request)
        messages, reply, error = received.messages, received.reply, ""
    except InboundError as refusal:
        reply, error = source.refuse(request, refusal), type(refusal).__name__
    compare("the refusal", case.expect.get("error", ""), error)
    if "messages" in case.expect:
        shown = [
            {
                "dedup_key": one.dedup_key,
                "profile_hint": one.profile_hint,
                "authentic": one.authentic,
                "json": loads(one.body),
            }
            for one in messages
        ]
        require(len(shown) == len(case.expect["messages"]), f"there are {len(shown)} messages: {shown}")
        for number, (wanted, actual) in enumerate(zip(case.expect["messages"], shown, strict=True), 1):
            for name, value in wanted.items():
                compare(f"message {number}, {name}", value, actual[name])
    if "reply" in case.expect:
        actual = {"status": reply.status, "json": reply.json, "headers": dict(reply.headers)}
        compare("the reply", case.expect["reply"], actual, partial=True)


def _inbound(given: Mapping[str, Json]) -> InboundRequest:
    body = given["text"].encode() if "text" in given else dumps(given["json"]) if "json" in given else b""
    request = InboundRequest(
        given.get("method", "POST"),
        given.get("path", ""),
        given.get("query", {}),
        {name.lower(): str(value) for name, value in given.get("headers", {}).items()},
        body,
        body,
        given.get("remote_addr", "203.0.113.9"),
        ManualClock()(),
    )
    return (
        request
        if "received_at" not in given
        else replace(request, received_at=datetime.fromisoformat(given["received_at"]))
    )
