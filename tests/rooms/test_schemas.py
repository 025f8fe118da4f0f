"""Metadata schemas over the whole way: what a source sends is filtered, every drop stands in the ledger."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from hub.core import clock
from hub.core.database import read, write
from hub.inbox import seen
from hub.inbox.values import MessageFilter
from hub.profiles import schema_store
from hub.runtime import schemas
from hub.runtime.applying import hooks_of, mapper_of
from hub.runtime.previewing import Wish, preview
from hub.runtime.replaying import replay_messages
from hub.runtime.schemas import LiveSchemas, add_key, add_missing, installed, remove_key, remove_schema, set_schema
from hub.sdk.errors import ConfigurationError
from hub.sdk.json import loads
from hub.sdk.values import Operation
from tests.rooms.whole import Whole

PROFILE = {"allow_defined_only": True, "properties": {"points": "number", "tier": "string", "home": "geopoint"}}
TRAITS = {"points": "120", "tier": "gold", "shoe": 42, "home": {"lat": 51.45, "lng": -2.59}}


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every message sees the schema of that moment."""
    monkeypatch.setattr(schemas, "LOOK_S", 0.0)


def define(whole: Whole, kind: str, document: Any) -> None:
    with write(whole.engine) as database:
        set_schema(database, clock.now(), kind, document, "tests")


def warnings(whole: Whole) -> dict[str, list[tuple[str, str]]]:
    with read(whole.engine) as state:
        page = seen.page(state, MessageFilter(), None, 99)
    return {row.message_id: [(one["code"], one["path"]) for one in loads(row.warnings)] for row in page}


@pytest.mark.usefixtures("at_once")
def test_what_a_source_sends_is_filtered_and_every_drop_is_in_the_ledger(whole: Whole) -> None:
    define(whole, "profile", PROFILE)
    [first] = whole.receives({"type": "identify", "userId": "ada", "traits": {"email": "ada@example.com", **TRAITS}})
    [second] = whole.receives({"type": "identify", "userId": "ben", "traits": {"points": "many"}})
    whole.applies()

    ada, ben = whole.profile("ada"), whole.profile("ben")
    assert ada is not None
    assert ben is not None
    assert ada["metadata"] == {"points": 120, "tier": "gold", "home": "51.45,-2.59"}
    assert ada["traits"]["email"] == "ada@example.com"
    assert ben["metadata"] == {}
    assert warnings(whole)[first] == [("schema_unknown_key", "metadata.shoe")]
    assert warnings(whole)[second] == [("schema_wrong_type", "metadata.points")]
    whole.books()


@pytest.mark.usefixtures("at_once")
def test_events_and_orders_are_filtered_too(whole: Whole) -> None:
    define(whole, "event.order_completed", {"properties": {"total": "number"}})
    define(whole, "item", {"properties": {"size": "number"}, "allow_defined_only": True})
    products = [{"product_id": "boot", "price": "12.5", "quantity": 1, "size": "43", "colour": "red"}]
    properties = {"order_id": "o-1", "total": "12.50", "currency": "GBP", "products": products}
    [sent] = whole.receives({"type": "track", "userId": "ada", "event": "Order Completed", "properties": properties})
    whole.applies()

    with read(whole.engine) as database:
        event = loads(database.exec_driver_sql("SELECT properties FROM event").scalar_one())
        order = loads(database.exec_driver_sql("SELECT fields FROM customer_order").scalar_one())
    assert event["total"] == 12.5
    assert order["items"][3][0]["metadata"] == {"size": 43}
    assert warnings(whole)[sent] == [("schema_unknown_key", "order.items[0].metadata.colour")]


@pytest.mark.usefixtures("at_once")
def test_a_changed_schema_is_followed_and_a_replay_uses_the_one_of_now(whole: Whole) -> None:
    whole.identifies("ada", points="120")
    assert metadata(whole) == {"points": "120"}

    define(whole, "profile", PROFILE)
    whole.identifies("ada", points="130")
    assert metadata(whole) == {"points": 130}

    with write(whole.engine) as database:
        remove_schema(database, clock.now(), "profile", "tests")
    whole.identifies("ada", points="140")
    assert metadata(whole) == {"points": "140"}

    define(whole, "profile", {"properties": {"points": "number"}})
    replay_messages(whole.hub, MessageFilter(state="applied"), clock.now(), "tests", is_dry=False)
    assert metadata(whole) == {"points": 140}
    whole.books()


def metadata(whole: Whole) -> Any:
    found = whole.profile("ada")
    assert found is not None
    return found["metadata"]


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_under_one_schema_the_order_of_arrival_does_not_matter(whole: Whole, order: tuple[int, ...]) -> None:
    define(whole, "profile", PROFILE)
    told = [
        {"type": "identify", "messageId": f"m-{place}", "userId": "ada", "timestamp": f"2026-03-14T09:0{place}:00Z", "traits": traits}
        for place, traits in enumerate([{"points": "1", "tier": "gold"}, {"points": "none", "tier": 7}, {"shoe": 1}])
    ]  # fmt: skip
    for place in order:
        whole.receives(told[place])
        whole.applies()
    assert metadata(whole) == {"points": 1, "tier": "7"}


@pytest.mark.usefixtures("at_once")
def test_a_preview_filters_as_the_apply_role_does(whole: Whole) -> None:
    define(whole, "profile", PROFILE)
    message = {"type": "identify", "userId": "ada", "timestamp": "2026-03-14T09:00:00Z", "traits": TRAITS}
    shown = preview(
        whole.hub, Wish("segment", "braze", [Operation.PROFILES]), [message], LiveSchemas(whole.hub).snapshot()
    )

    attributes = shown.requests[0]["body"]["attributes"][0]
    assert attributes["points"] == 120
    assert "shoe" not in attributes
    assert any(note.startswith("schema_unknown_key at metadata.shoe") for note in shown.notes)


def test_a_preview_makes_no_database_for_the_schemas(whole: Whole, tmp_path: Any) -> None:
    from hub.core.settings import Settings
    from hub.runtime.installation import Installation

    elsewhere = Installation(Settings(data_dir=tmp_path / "nowhere", database_url=""))
    assert installed(elsewhere).hash == ""
    assert not (tmp_path / "nowhere").exists()


def test_schemas_are_read_again_only_when_one_changed(whole: Whole, at_once: None) -> None:
    live = LiveSchemas(whole.hub)
    nothing = live.snapshot()
    assert nothing.hash == ""
    define(whole, "profile", PROFILE)
    one = live.snapshot()
    assert one.hash
    assert live.snapshot() is one
    define(whole, "profile", dict(reversed(PROFILE.items())))
    assert live.snapshot() is one, "the same schema in another order is no other version"
    define(whole, "event", {"properties": {"x": "number"}})
    two = live.snapshot()
    assert two.hash not in ("", one.hash)
    with write(whole.engine) as database:
        remove_schema(database, clock.now(), "event", "tests")
    assert live.snapshot().hash == one.hash


def test_a_role_that_has_looked_just_now_does_not_ask_again(whole: Whole) -> None:
    live = LiveSchemas(whole.hub)
    before = live.snapshot()
    define(whole, "profile", PROFILE)
    assert live.snapshot() is before


def test_a_database_that_is_away_is_no_fault_of_a_message(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch is repeated; nothing may be quarantined because schemas could not be read."""
    from sqlalchemy.exc import OperationalError

    whole.receives({"type": "identify", "userId": "ada", "traits": {"points": "1"}})

    def away(_connection: Any) -> Any:
        raise OperationalError("SELECT", {}, Exception("away"))

    from hub.runtime.apply import ApplyRole

    role = ApplyRole(whole.inbox, mapper_of(whole.hub), hooks_of(whole.hub))
    with monkeypatch.context() as patch:
        patch.setattr(schema_store, "revision", away)
        with pytest.raises(OperationalError):
            role.step()
    role.step()
    assert [state for state, _ in whole.messages().values()] == ["applied"]


def test_keys_are_added_and_removed_one_by_one(whole: Whole) -> None:
    now = clock.now()
    with write(whole.engine) as database:
        assert add_key(database, now, "profile", "points", {"type": "number"}, "tests")["is_changed"]
        assert not add_key(database, now, "profile", "points", "number", "tests")["is_changed"]
        with pytest.raises(ConfigurationError, match="another definition"):
            add_key(database, now, "profile", "points", {"type": "string"}, "tests")
        with pytest.raises(ConfigurationError, match="without white space"):
            add_key(database, now, "profile", "shoe size", {"type": "number"}, "tests")
        with pytest.raises(ConfigurationError, match="no key 'shoe'; it has points"):
            remove_key(database, now, "profile", "shoe", "tests")
        assert remove_key(database, now, "profile", "points", "tests")["is_changed"]
        with pytest.raises(ConfigurationError, match="nothing to remove"):
            remove_key(database, now, "order", "points", "tests")
        assert schema_store.every(database)["profile"]["properties"] == {}


def test_what_is_missing_is_added_and_what_is_there_stays(whole: Whole) -> None:
    now = clock.now()
    wanted = {"profile": {"properties": {"points": "number", "tier": "string"}}, "order": {"properties": {}}}
    with write(whole.engine) as database:
        set_schema(database, now, "profile", {"allow_defined_only": True, "properties": {"tier": "number"}}, "tests")
        assert add_missing(database, now, wanted, "tests") == (["profile.points", "order"], ["profile.tier"])
        assert add_missing(database, now, wanted, "tests") == ([], ["profile.tier"])
        found = schema_store.every(database)["profile"]
    assert found["allow_defined_only"] is True
    assert {name: each["type"] for name, each in found["properties"].items()} == {"tier": "number", "points": "number"}
