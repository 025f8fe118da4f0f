"""/hub/v1/sources and /hub/v1/destinations."""

from __future__ import annotations

from typing import Any

import pytest

from hub.core.clock import now
from hub.core.database import read
from hub.distributions.values import Target
from hub.outbox.tables import DELIVERY
from hub.registry import store as registry
from hub.runtime.upkeep.ledger_check import check
from tests.rooms.api.conftest import Api

SECRETS = ("secret", "shared_secret", "write_key")


def test_a_source_answers_once_with_its_url_and_its_secrets(api: Api) -> None:
    added = api.add_source()

    assert added["webhook_url"].startswith("https://hub.example.com/in/")
    assert added["secret"] == added["shared_secret"]
    assert len(added["secret"]) >= 32
    assert len(added["write_key"]) >= 32
    shown = api.get("/hub/v1/sources/web")
    assert shown["secrets"] == ["shared_secret", "write_key"]
    assert shown["webhook_url"] == added["webhook_url"]


def test_no_later_answer_holds_a_secret(api: Api) -> None:
    added, crm = api.add_source(), api.add_destination()
    secrets = [added[name] for name in SECRETS] + ["the-api-key", "the-second-key"]
    api("PATCH", "/hub/v1/destinations/crm", json={"settings": {"api_key": "the-second-key"}})
    api.post("/hub/v1/destinations/crm/pause", {"reason": "for a look"}, 200)

    answers = [
        api("GET", path).text
        for path in (
            "/hub/v1/sources", "/hub/v1/sources/web", f"/hub/v1/sources/{added['id']}", "/hub/v1/destinations",
            f"/hub/v1/destinations/{crm['id']}", "/hub/v1/audit", "/hub/v1/sync-runs", "/hub/v1/ledger", "/readyz",
            "/metrics",
        )
    ]  # fmt: skip
    answers.append(api("POST", "/hub/v1/sources/web/pause").text)
    answers.append(api("POST", "/hub/v1/destinations", json=same_key("crm")).text)
    answers.append(api("POST", "/hub/v1/destinations", json=same_key("x", objects_per_call=-1)).text)
    answers.append(api("PATCH", "/hub/v1/destinations/crm", json={"settings": {"nonsense": "the-api-key"}}).text)

    assert not [secret for secret in secrets for answer in answers if secret in answer]


def same_key(name: str, **more: Any) -> dict[str, Any]:
    settings = {"base_url": "https://rest.example.com", "api_key": "the-api-key", **more}
    return {"connector": "braze", "name": name, "settings": settings}


def test_numbers_and_booleans_are_taken_as_settings_and_null_as_nothing(api: Api) -> None:
    added = api.add_destination(objects_per_call=50, update_existing_only=True, app_id=None)

    assert added["settings"] == {
        "base_url": "https://rest.example.com", "objects_per_call": "50", "update_existing_only": "true",
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["sources", "destinations"])
def test_pause_and_resume(api: Api, kind: str) -> None:
    api.add_source("one")
    api.add_destination("one")

    paused = api.post(f"/hub/v1/{kind}/one/pause", {"reason": "the vendor is down"}, 200)
    assert (paused["status"], paused["paused_reason"]) == ("paused", "the vendor is down")
    resumed = api.post(f"/hub/v1/{kind}/one/resume", None, 200)
    assert (resumed["status"], resumed["paused_reason"]) == ("active", None)
    again = api.post(f"/hub/v1/{kind}/one/pause", None, 200)
    assert again["paused_reason"] == "paused by an operator"


def test_a_rotated_secret_keeps_its_predecessor(api: Api) -> None:
    old = api.add_source()

    api("PATCH", "/hub/v1/sources/web", json={"settings": {"shared_secret": "the new one"}})

    with read(api.engine) as database:
        kept = registry.get(database, api.hub.vault, old["id"]).secrets
    assert (kept["shared_secret"], kept["previous_shared_secret"]) == ("the new one", old["secret"])
    gone = api("PATCH", "/hub/v1/sources/web", json={"settings": {"previous_shared_secret": ""}}).json
    assert gone["secrets"] == ["shared_secret", "write_key"]


def test_setting_the_same_secret_again_does_not_push_out_the_predecessor(api: Api) -> None:
    old = api.add_source()
    for _ in range(2):
        api("PATCH", "/hub/v1/sources/web", json={"settings": {"shared_secret": "the new one"}})

    with read(api.engine) as database:
        assert registry.get(database, api.hub.vault, old["id"]).secrets["previous_shared_secret"] == old["secret"]


def test_hosts_are_redirected_and_shown(api: Api) -> None:
    added = api.add_destination(**{"hosts.api": "http://127.0.0.1:8090"})
    assert added["hosts"] == {"api": "http://127.0.0.1:8090"}

    back = api("PATCH", "/hub/v1/destinations/crm", json={"settings": {"hosts.api": ""}}).json
    assert back["hosts"] == {}


BAD_SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"hosts.nowhere": "https://x.example"}, "no host 'nowhere'"),
    ({"hosts.api": "ftp://x.example"}, "this is none"),
    ({"hosts.api": "https://user:pass@x.example"}, "this is none"),
    ({"hosts.api": "https://x.example/?a=1"}, "this is none"),
    ({"hosts.api": "https://"}, "this is none"),
    ({"hosts.api": "https://x.example:99999"}, "this is none"),
    ({"no_such_setting": "1"}, "no setting 'no_such_setting'"),
    ({"objects_per_call": "many"}, "objects_per_call"),
    ({"base_url": "not a url"}, "base_url"),
]


def test_settings_that_do_not_fit_are_named_when_adding_and_when_changing(api: Api) -> None:
    before = api.add_destination()
    for settings, sentence in BAD_SETTINGS:
        told = api.refused("POST", "/hub/v1/destinations", same_key("mail", **settings))["message"]
        assert sentence in told, settings
        told = api.refused("PATCH", "/hub/v1/destinations/crm", {"settings": settings})["message"]
        assert sentence in told, settings
    assert api.get("/hub/v1/destinations") == [before]


def test_a_source_has_no_hosts(api: Api) -> None:
    wanted = {"connector": "segment", "name": "web", "settings": {"hosts.api": "https://x.example"}}
    assert "calls no hosts" in api.refused("POST", "/hub/v1/sources", wanted)["message"]


BAD_SOURCES: list[dict[str, Any]] = [
    {"connector": "nobody", "name": "x"},
    {"connector": "braze", "name": "x"},
    {"connector": "segment", "name": ""},
    {"connector": "segment", "name": "   "},
    {"connector": "segment", "name": "x" * 101},
    {"connector": "segment", "name": "a/b"},
    {"connector": "segment", "name": "a:b"},
    {"connector": "segment", "name": "a\nb"},
    {"connector": "segment", "name": "a\0b"},
    {"connector": "segment", "name": "web"},
    {"connector": "segment"},
    {"name": "x"},
    {"connector": "segment", "name": "x", "nmae": "y"},
]


def test_a_source_that_cannot_be_is_refused_with_a_sentence(api: Api) -> None:
    api.add_source("web")
    for body in BAD_SOURCES:
        api.refused("POST", "/hub/v1/sources", body)
    assert len(api.get("/hub/v1/sources")) == 1


def test_what_is_not_there_is_a_404(api: Api) -> None:
    api.add_source("web")
    for kind, which in (("sources", "crm"), ("destinations", "web"), ("sources", "x" * 5000)):
        for method, rest in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume")):
            body = {"settings": {"a": "b"}} if method == "PATCH" else None
            api.refused(method, f"/hub/v1/{kind}/{which}{rest}", body, 404)


def test_a_removed_destination_skips_what_waits_for_it_and_the_books_balance(api: Api) -> None:
    crm = api.add_destination()
    api.add_deliveries(crm["id"], "ann", "bob")

    assert api("DELETE", "/hub/v1/destinations/crm").json == {"removed": True, "deliveries_skipped": 2}

    assert api.get("/hub/v1/destinations") == []
    rows = api.get("/hub/v1/deliveries")["deliveries"]
    assert {(row["status"], row["reason"]) for row in rows} == {("skipped", "connection_removed")}
    assert check(api.engine, api.inbox).is_balanced
    assert api.get("/hub/v1/deliveries", connection=crm["id"])["deliveries"] == rows


def test_a_destination_with_calls_under_way_is_not_removed(api: Api) -> None:
    crm = api.add_destination()
    first, _ = api.add_deliveries(crm["id"], "ann", "bob")
    with api.engine.begin() as database:
        database.execute(DELIVERY.update().where(DELIVERY.c.id == first).values(state="sending", attempt_id="A" * 26))

    assert "under way" in api.refused("DELETE", "/hub/v1/destinations/crm")["message"]
    assert len(api.get("/hub/v1/deliveries", status="waiting")["deliveries"]) == 2


def test_a_destination_in_use_is_not_removed(api: Api) -> None:
    from hub.distributions import store

    crm = api.add_destination()
    with api.engine.connect().execution_options(hub_writes=True) as database, database.begin():
        store.add(database, now(), name="spring", trigger={"kind": "manual"}, targets=[Target(crm["id"], "profiles")])

    assert "'spring'" in api.refused("DELETE", "/hub/v1/destinations/crm")["message"]


def test_every_source_has_a_currency_and_every_destination_says_whether_it_repeats_the_unknown(api: Api) -> None:
    assert api.add_source()["currency"] == "USD"
    assert api.add_destination(retry_unknown=True)["retry_unknown"] is True
    for path, given, shown in (
        ("sources/web", {"currency": "pln"}, {"currency": "PLN"}),
        ("sources/web", {"currency": ""}, {"currency": "USD"}),
        ("destinations/crm", {"retry_unknown": "false"}, {"retry_unknown": False}),
    ):
        answer = api("PATCH", f"/hub/v1/{path}", json={"settings": given})
        assert answer.status_code == 200, answer.text
        assert shown.items() <= answer.json.items()
        assert not shown.keys() & answer.json["settings"].keys()
    for path, given, told in (
        ("sources/web", {"currency": "EURO"}, "there is no 'EURO' in ISO 4217"),
        ("sources/web", {"retry_unknown": "true"}, "retry_unknown"),
        ("destinations/crm", {"retry_unknown": "maybe"}, "neither true nor false"),
    ):
        answer = api("PATCH", f"/hub/v1/{path}", json={"settings": given})
        assert answer.status_code == 400
        assert told in answer.text
