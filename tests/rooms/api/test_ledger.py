"""/hub/v1/sync-runs, /deliveries, /dead-letters, /messages, /refusals, /audit, /ledger, and health."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from hub.core import clock
from hub.core.clock import MINUTE, SECOND, iso
from hub.core.database import read, write
from hub.core.ids import new_id
from hub.inbox import seen
from hub.inbox.values import SeenRow, Settled
from hub.ledger import store as ledger
from hub.ledger.values import AttemptEnd, AttemptRecord, AttemptStart, Run
from hub.outbox.tables import DELIVERY
from hub.runtime.process import heartbeat
from tests.heartbeats import roles_live
from tests.rooms.api.conftest import NOW, Api

_ids = itertools.count(1)


def add_run(api: Api, kind: str = "apply", **more: Any) -> str:
    run = Run(f"R{next(_ids):0>25}", kind, more.pop("started_at", NOW), 1_500, {"applied": 3}, **more)
    with write(api.engine) as database:
        ledger.record_run(database, run)
    return run.id


def add_messages(api: Api, connection_id: str, count: int, state: str = "applied", reason: str = "") -> None:
    rows = [
        SeenRow(
            connection_id, f"m{number}", state, reason, "", "", NOW - number, NOW, f"u{number}", 0, b"{}", "[]", None
        )
        for number in range(count)
    ]
    with write(api.engine) as database:
        seen.record(database, rows)


def walk(api: Api, path: str, name: str, **query: Any) -> list[Any]:
    """Every row, a page after another."""
    rows: list[Any] = []
    cursor: str | None = None
    while True:
        page = api.get(path, **query, **({"cursor": cursor} if cursor else {}))
        rows += page[name]
        assert len(page[name]) <= int(query["limit"])
        cursor = page["next_cursor"]
        if cursor is None:
            return rows


def test_pages_of_every_list_come_to_the_whole_without_repetition(api: Api) -> None:
    web, crm = api.add_source(), api.add_destination()
    runs = [add_run(api) for _ in range(7)]
    deliveries = api.add_deliveries(crm["id"], *[f"p{number}" for number in range(7)])
    add_messages(api, web["id"], 7)

    for limit in (1, 3, 7, 50):
        assert [row["id"] for row in walk(api, "/hub/v1/sync-runs", "sync_runs", limit=limit)] == runs[::-1]
        shown = [row["id"] for row in walk(api, "/hub/v1/deliveries", "deliveries", limit=limit)]
        assert shown == sorted(deliveries, reverse=True)
        messages = [row["message_id"] for row in walk(api, "/hub/v1/messages", "messages", limit=limit)]
        assert messages == [f"m{number}" for number in range(7)]
        assert len(walk(api, "/hub/v1/audit", "audit", limit=limit)) == 2


def test_runs_are_filtered(api: Api) -> None:
    web = api.add_source()
    late = NOW + 5 * MINUTE
    apply = add_run(api, connection_id=web["id"])
    failed = add_run(api, "request", result="failed", connection_id="G" * 26, started_at=late)

    def ids(**query: Any) -> list[str]:
        return [run["id"] for run in api.get("/hub/v1/sync-runs", **query)["sync_runs"]]

    assert ids(kind="apply") == ids(connection="web") == ids(connection=web["id"]) == ids(until=iso(late)) == [apply]
    assert ids(result="failed") == ids(connection="G" * 26) == ids(since=iso(late)) == [failed]
    assert ids(distribution="D" * 26) == []
    assert ids() == [failed, apply]


def test_runs_and_messages_name_their_connection_also_after_it_was_removed(api: Api) -> None:
    web = api.add_source()
    add_run(api, connection_id=web["id"])
    add_messages(api, web["id"], 1)
    assert api.get("/hub/v1/sync-runs")["sync_runs"][0]["connection"] == "web"
    assert api.get("/hub/v1/messages")["messages"][0]["connection"] == "web"
    assert api("DELETE", "/hub/v1/sources/web").status_code == 200
    assert api.get("/hub/v1/sync-runs")["sync_runs"][0]["connection"] == web["id"]


def test_a_run_shows_its_attempts(api: Api) -> None:
    run = add_run(api, "request")
    with write(api.engine) as database:
        ledger.start_attempts(database, [AttemptStart("A" * 26, "C" * 26, "track", 1, NOW)])
        end = AttemptEnd("A" * 26, NOW + SECOND, 201, "accepted", "POST /x", "{}", run)
        ledger.finish_attempts(database, [end], [AttemptRecord("A" * 26, "D" * 26, "accepted")])

    shown = api.get(f"/hub/v1/sync-runs/{run}")
    assert (shown["duration_ms"], shown["counts"]) == (1.5, {"applied": 3})
    assert [(each["status"], each["request"]) for each in shown["attempts"]] == [(201, "POST /x")]
    api.refused("GET", "/hub/v1/sync-runs/nothing", status=404)


def test_a_delivery_shows_connection_and_every_attempt(api: Api) -> None:
    crm = api.add_destination()
    (delivery,) = api.add_deliveries(crm["id"], "ann")
    with write(api.engine) as database:
        ledger.start_attempts(database, [AttemptStart("B" * 26, crm["id"], "track", 1, NOW)])
        end = AttemptEnd("B" * 26, NOW, 500, "again", "POST /x", "oh no")
        ledger.finish_attempts(database, [end], [AttemptRecord("B" * 26, delivery, "again", "Oh no.")])

    shown = api.get(f"/hub/v1/deliveries/{delivery}")
    assert (shown["connection"], shown["status"], shown["attempt_count"]) == ("crm", "waiting", 0)
    assert [(each["record_outcome"], each["record_reason"]) for each in shown["attempts"]] == [("again", "Oh no.")]
    api.refused("GET", "/hub/v1/deliveries/nothing", status=404)


@pytest.fixture
def ended(api: Api) -> Api:
    """Deliveries in every state at two destinations."""
    crm, mail = api.add_destination("crm"), api.add_destination("mail")
    dead, sent, waits = api.add_deliveries(crm["id"], "dead", "sent", "waits")
    other, _ = api.add_deliveries(mail["id"], "other", "more")
    api.end("dead", "rejected", dead, other)
    api.end("sent", "", sent)
    assert waits
    return api


def people(api: Api, path: str = "/hub/v1/deliveries", **query: Any) -> list[str]:
    return sorted(row["source_id"] for row in api.get(path, **query)["deliveries"])


def test_deliveries_are_filtered(ended: Api) -> None:
    assert people(ended, status="dead") == people(ended, "/hub/v1/dead-letters") == ["dead", "other"]
    assert people(ended, status="waiting") == ["more", "waits"]
    assert people(ended, connection="mail") == ["more", "other"]
    assert people(ended, "/hub/v1/dead-letters", connection="crm") == ["dead"]
    assert people(ended, reason="rejected", connection="crm") == ["dead"]
    assert people(ended, source_id="sent") == ["sent"]
    assert people(ended, operation="events", status="sent") == ["sent"]
    assert people(ended, operation="profiles") == people(ended, until=iso(NOW - MINUTE)) == []
    assert people(ended, occasion="x") == people(ended, distribution="D" * 26) == []


def test_every_list_takes_the_same_filters_and_ids_by_their_beginning(ended: Api) -> None:
    (dead,) = ended.get("/hub/v1/dead-letters", connection="crm")["deliveries"]
    add_messages(ended, "X" * 26, 2, "quarantined", "missing_required")
    run = add_run(ended, result="failed", detail="It broke at noon.")

    for path in ("/hub/v1/deliveries", "/hub/v1/dead-letters", "/hub/v1/messages"):
        query = {"since": "1h", "until": "now", "connection": "X" * 26, "reason": "r", "source_id": "u", "text": "t"}
        ended.get(path, **query, **({} if path.endswith("letters") else {"status": "dead"} if "del" in path else {}))
    assert people(ended, since="1h", text="REJECT") == ["dead", "other"]
    assert people(ended, until="yesterday") == people(ended, text="%") == []
    assert len(ended.get("/hub/v1/messages", status="quarantined", text="Missing", since="1d")["messages"]) == 2
    assert [row["id"] for row in ended.get("/hub/v1/sync-runs", status="failed", text="NOON")["sync_runs"]] == [run]
    assert ended.get("/hub/v1/refusals", connection="X" * 26, reason="r", text="t", until="1h") == {"refusals": []}
    ended.refused("GET", "/hub/v1/deliveries?since=yesteryear")
    assert ended.get("/hub/v1/refusals/requests", reason="r", text="t", until="1h", limit=3) == {"requests": []}

    replayed = ended.post("/hub/v1/deliveries/replay", {"ids": [dead["id"][:25]], "since": "1h"}, 202)
    assert replayed == {"matching": 1, "replayed": 1}
    assert ended.get(f"/hub/v1/sync-runs/{run}")["id"] == run
    assert ended.get(f"/hub/v1/deliveries/{dead['id'].lower()}")["id"] == dead["id"]
    assert "several" in ended.refused("GET", "/hub/v1/deliveries/D000")["message"]
    ended.refused("POST", "/hub/v1/deliveries/replay", {"ids": ["nothing"]})


def test_a_message_is_shown_dismissed_and_replayed(api: Api) -> None:
    web = api.add_source()
    add_messages(api, web["id"], 3, "quarantined", "missing_required")
    shown = api.get("/hub/v1/messages/m1")
    assert (shown["message_id"], shown["connection"], shown["body"]) == ("m1", "web", {})
    assert set(shown) >= {"canonical", "canonical_missing", "caused", "warnings", "is_masked"}
    assert "several" in api.refused("GET", "/hub/v1/messages/m")["message"]
    api.refused("GET", "/hub/v1/messages/no/such", status=404)
    add_messages(api, "X" * 26, 1)
    assert "Several sources" in api.refused("GET", "/hub/v1/messages/m0")["message"]
    assert api.get("/hub/v1/messages/m0", connection="web")["connection"] == "web"

    path = "/hub/v1/messages/dismiss"
    for body in (
        {},
        {"because": "x"},
        {"ids": ["m1"]},
        {"because": "", "ids": ["m1"]},
        {"because": "x", "ids": ["no"]},
    ):
        api.refused("POST", path, body)
    assert api.post(path, {"because": "x", "ids": ["m1"], "dry_run": True}, 200) == {"matching": 1}
    assert api.post(path, {"because": "x", "ids": ["m1"]}, 200) == {"matching": 1, "dismissed": 1}
    assert api.get("/hub/v1/messages/m1")["reason"] == "dismissed"
    replayed = api.post("/hub/v1/messages/replay", {"ids": ["m1"], "dry_run": True}, 202)
    assert replayed == {"matching": 1}
    assert api.post("/hub/v1/messages/replay", {"dry_run": True, "since": "1h"}, 202) == {"matching": 2}
    assert api.post("/hub/v1/messages/preview", {"id": "m1"}, 200)["requests"] == []
    api.refused("POST", "/hub/v1/messages/preview", {"id": "nothing"}, status=404)


def test_dead_letters_are_counted_then_sent_again(ended: Api) -> None:
    path = "/hub/v1/deliveries/replay"
    assert ended.post(path, {"dry_run": True}, 202) == {"matching": 2}
    assert people(ended, status="dead") == ["dead", "other"]

    assert ended.post(path, {"connection": "crm", "per_s": 2, "quiet": True}, 202) == {"matching": 1, "replayed": 1}

    assert people(ended, status="waiting") == ["dead", "more", "waits"]
    assert ended.post(path, {"status": "sent", "source_id": "sent"}, 202) == {"matching": 1, "replayed": 1}
    assert ended.get("/hub/v1/deliveries", source_id="sent")["deliveries"][0]["replay"] == 1
    entry = ended.get("/hub/v1/audit")["audit"][0]
    assert (entry["action"], entry["detail"]["matching"]) == ("deliveries.replayed", 1)


BAD_REPLAYS: list[dict[str, Any]] = [
    {"status": "waiting"}, {"status": ["dead"]}, {"status": None}, {"conection": "crm"}, {"connection": "nobody"},
    {"connection": 5}, {"connection": "a\0"}, {"distribution": "nobody"}, {"distribution": {}}, {"source_id": 5},
    {"source_id": "\ud800"}, {"source_id": "x" * 300}, {"operation": []}, {"operation": "no-such"}, {"reason": {}},
    {"per_s": 0}, {"per_s": -1}, {"per_s": "1"}, {"per_s": 1e-300}, {"per_s": 1e300}, {"per_s": True},
    {"quiet": "false"}, {"force": 1}, {"dry_run": "yes"}, {"dry_run": None},
]  # fmt: skip


def test_a_replay_that_is_not_clear_is_refused_and_touches_nothing(ended: Api) -> None:
    for body in BAD_REPLAYS:
        ended.refused("POST", "/hub/v1/deliveries/replay", body)
    assert ended("POST", "/hub/v1/deliveries/replay", data=b'{"per_s": NaN}').status_code == 400
    assert people(ended, status="dead") == ["dead", "other"]


def test_a_delivery_that_waits_is_cancelled_and_no_other(ended: Api) -> None:
    waits = ended.get("/hub/v1/deliveries", source_id="waits")["deliveries"][0]["id"]
    sent = ended.get("/hub/v1/deliveries", source_id="sent")["deliveries"][0]["id"]

    assert ended.post(f"/hub/v1/deliveries/{waits}/cancel", None, 200)["reason"] == "cancelled"
    assert "sent" in ended.refused("POST", f"/hub/v1/deliveries/{sent}/cancel", status=409)["message"]
    ended.refused("POST", f"/hub/v1/deliveries/{waits}/cancel", status=409)
    ended.refused("POST", "/hub/v1/deliveries/nothing/cancel", status=404)
    actions = [entry["action"] for entry in ended.get("/hub/v1/audit")["audit"]]
    assert actions.count("delivery.cancelled") == 1


def test_messages_are_filtered_and_show_no_body(api: Api) -> None:
    web = api.add_source()
    add_messages(api, web["id"], 2)
    add_messages(api, "X" * 26, 3, "quarantined", "missing_required")

    def ids(**query: Any) -> int:
        return len(api.get("/hub/v1/messages", **query)["messages"])

    assert ids() == 5
    assert ids(connection="web") == ids(state="applied") == 2
    assert ids(state="quarantined", reason="missing_required") == ids(connection="X" * 26) == 3
    assert ids(message_id="m2") == ids(source_id="u2") == 1
    assert ids(since=iso(NOW + SECOND)) == 0
    shown = api.get("/hub/v1/messages", message_id="m2")["messages"][0]
    assert "body" not in shown
    assert (shown["is_body_kept"], shown["warnings"], shown["state"]) == (True, [], "quarantined")
    assert (shown["mapping_hash"], shown["schema_hash"]) == ("", "")

    assert (ids(warned="false"), ids(warned="true")) == (5, 0)
    with write(api.engine) as state:
        seen.settle(state, [Settled("X" * 26, "m1", "applied", "", "", "s", NOW, "u1", 1, '[{"code":"x"}]', None)])
    assert ids(warned="true") == ids(warned="true", state="applied") == 1
    assert api.refused("GET", "/hub/v1/messages", query_string={"warned": "maybe"})["key"] == "invalid_query"


def test_refusals_and_the_books(api: Api) -> None:
    api.http.post("/in/nobody", json={})
    api.inbox.close()  # writes what it holds

    (row,) = api.get("/hub/v1/refusals")["refusals"]
    assert (row["connection_id"], row["reason"], row["count"]) == ("-", "unknown_source", 1)
    assert api.get("/hub/v1/refusals", since=iso(clock.now() + MINUTE))["refusals"] == []
    books = api.get("/hub/v1/ledger")
    assert books["balanced"] is True
    assert all(type(books[term]) is int for term in ("accepted", "applied", "decided", "sent", "codes", "free"))


QUERIES = {
    "/hub/v1/sync-runs": ("kind", "connection", "distribution", "result", "since", "until", "cursor", "limit"),
    "/hub/v1/deliveries": (
        "status", "connection", "operation", "source_id", "distribution", "occasion", "reason", "since", "until",
        "cursor", "limit",
    ),
    "/hub/v1/dead-letters": ("connection", "operation", "source_id", "distribution", "since", "cursor", "limit"),
    "/hub/v1/messages": (
        "state", "reason", "connection", "source_id", "message_id", "since", "until", "cursor", "limit",
    ),
    "/hub/v1/refusals": ("since",),
    "/hub/v1/audit": ("cursor", "limit"),
}  # fmt: skip
HOSTILE_TEXTS = [
    "", " ", "\0", "a\0b", "'; DROP TABLE delivery; --", "%", "_", "-1", "0", "1e9", "NaN", "9" * 5000, "-" + "9" * 30,
    "x" * 20_000, "null", "[]", "{}", "é🎁\u202e", "\ud7ff", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59",
    "99999-01-01", "W10", "WzEsMiwzXQ==", "WyIxIiwgIngiLCAieSJd", "WzEsICJ4IiwgInlcdTAwMDAiXQ==", "====",
    "WzE4NDQ2NzQ0MDczNzA5NTUxNjE1LCAieCIsICJ5Il0=",
]  # fmt: skip


def test_no_query_whatever_breaks_a_list(api: Api) -> None:
    for path, names in QUERIES.items():
        for name in names:
            for text in HOSTILE_TEXTS:
                answer = api("GET", path, query_string={name: text})
                assert answer.status_code in (200, 400), f"{path}?{name}={text[:60]!r}: {answer.text}"
                assert answer.is_json
        told = api.refused("GET", f"{path}?sorce_id=ada")
        assert (told["key"], "sorce_id" in told["message"]) == ("unknown_parameter", True)
    for name in ("status", "operation"):
        api.refused("GET", f"/hub/v1/deliveries?{name}=no-such")
    api.refused("GET", "/hub/v1/messages?state=no-such")
    api.refused("GET", "/hub/v1/sync-runs?kind=no-such")


HOSTILE_BODIES: list[bytes] = [
    b"", b"{", b"[]", b"[1]", b"null", b"5", b'"x"', b"\xff\xfe", b"NaN", b"<xml/>", b"\0", b"{}" * 2, b'{"a":' * 70,
    b'{"a":' * 70 + b"1" + b"}" * 70, b"[" * 100_000, b'{"name": "\\u0000"}', b'{"name": "\\ud800"}',
    b'{"name": NaN}', b'{"name": Infinity}', b'{"name": 1e999}', b'{"name": ' + b"9" * 5000 + b"}", b'{"name": null}',
    b'{"name": true}', b'{"name": {}}', b'{"name": [[[]]]}', b'{"name": {"name": "x"}}', b'{"\\u0000": 1}',
    b'{"__proto__": 1}', b'{"name": "x", "connector": ["segment"]}', b'{"name": "x", "connector": "segment", "settings": 5}',
    b'{"name": "x", "connector": "segment", "settings": {"shared_secret": {}}}',
    b'{"name": "x", "connector": "segment", "settings": {"shared_secret": [1]}}',
    b'{"name": "x", "connector": "segment", "settings": {"": ""}}', b'{"reason": 5}', b'{"reason": {}}',
    b'{"settings": {}}', b'{"settings": []}', b'{"codes": "A"}', b'{"codes": [1]}', b'{"codes": []}', b'{"key": 5}',
    b'{"key": ""}', b'{"key": "\\n"}', b'{"key": "' + b"k" * 81 + b'"}',
]  # fmt: skip


def doors(api: Api) -> Iterator[tuple[str, str]]:
    """Every route that takes a body."""
    for rule in api.app.url_map.iter_rules():
        for method in sorted({"POST", "PATCH"} & (rule.methods or set())):
            names = {"kind": "sources", "which": "web", "action": "pause", "delivery_id": "x", "source_id": "x"}
            for which in ("web", "spring", "spring mail"):
                with api.app.test_request_context():
                    yield (
                        method,
                        api.app.url_map.bind("").build(
                            rule.endpoint,
                            {key: names[key] for key in rule.arguments}
                            | ({"which": which} if "which" in rule.arguments else {}),
                            method=method,
                        ),
                    )


def test_no_body_whatever_breaks_a_door(api: Api) -> None:
    api.add_source("web")
    api.add_destination()
    api.post("/hub/v1/campaigns", {"name": "spring", "kind": "imported"})
    target = {"connection": "crm", "operation": "profiles"}
    api.post("/hub/v1/distributions", {"name": "spring mail", "targets": [target]})
    tried = set(doors(api))
    assert len(tried) > 12
    for method, path in sorted(tried):
        for body in HOSTILE_BODIES:
            answer = api(method, path, data=body)
            assert answer.status_code < 500, f"{method} {path} {body[:80]!r}: {answer.text}"
            assert answer.is_json, f"{method} {path} {body[:80]!r}"
    assert api.get("/hub/v1/ledger")["balanced"] is True


# ── health ───────────────────────────────────────────────────────────────────────────────────────────────────────


def leave_heartbeat(api: Api, role: str, *, lived: int, ago: int) -> None:
    at = clock.now() - ago * SECOND
    with write(api.engine) as database:
        row = {"id": new_id(), "role": role, "started_at": at - lived * SECOND, "at": at, "report": "{}"}
        database.execute(heartbeat.HEARTBEAT.insert(), row)


def test_health_needs_no_key_and_names_every_trouble(api: Api) -> None:
    assert api.http.get("/healthz").json == {"status": "ok"}
    roles_live(api.engine)
    ready = api.http.get("/readyz")
    assert (ready.status_code, ready.json["troubles"]) == (200, {})
    assert ready.json["messages_waiting"] == 0
    assert ready.json["roles"]["apply"]["processes"] == 1

    with write(api.engine) as database:
        heartbeat.forget(database)
    leave_heartbeat(api, "deliver", lived=1_000, ago=45)
    for _ in range(3):
        leave_heartbeat(api, "apply", lived=1, ago=30)
    crm = api.add_destination()
    api.add_deliveries(crm["id"], "ann")
    with write(api.engine) as database:
        database.execute(DELIVERY.update().values(created_at=clock.now() - 100 * SECOND))

    ready = api.http.get("/readyz")
    assert ready.status_code == 503
    assert "crashed 3 times" in ready.json["troubles"]["role_apply"]
    assert "no heartbeat" in ready.json["troubles"]["role_deliver"]
    assert ready.json["troubles"]["role_schedule"] == "it is not running"
    assert 100 <= ready.json["oldest_delivery_age_seconds"] < 200
    text = api.http.get("/metrics").text
    assert 'hub_role_crashes{role="apply"} 3' in text
    assert 'hub_role_processes{role="deliver"} 0' in text
    assert "hub_deliveries_waiting 1" in text
    assert "hub_database_up 1" in text


def test_a_full_disk_is_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from hub.api import health

    monkeypatch.setattr(health, "DISK_FREE_LEAST", 2**62)
    ready = api.http.get("/readyz")
    assert (ready.status_code, "MiB" in ready.json["troubles"]["disk"]) == (503, True)


def test_a_lost_database_is_told_and_metrics_still_come(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.exc import OperationalError

    from hub.api import health

    def lost(*_: object) -> None:
        raise OperationalError("SELECT 1", None, Exception("password of the database"))

    monkeypatch.setattr(health, "read", lost)
    ready = api.http.get("/readyz")
    assert ready.status_code == 503
    assert "does not answer" in ready.json["troubles"]["database"]
    assert "password" not in ready.text
    assert "hub_database_up 0" in api.http.get("/metrics").text


def test_readiness_tells_of_messages_that_wait_too_long(api: Api) -> None:
    from hub.inbox.values import AcceptedRequest
    from hub.sdk.values import RawMessage

    old = clock.now() - 400 * SECOND
    api.inbox.append(AcceptedRequest("C" * 26, old, [RawMessage(b"{}", "m1")]))

    ready = api.http.get("/readyz")
    assert ready.status_code == 503
    assert "apply role" in ready.json["troubles"]["inbox"]
    with read(api.engine) as database:
        assert api.inbox.terms(database).waiting == 1
