"""Metadata schemas over the whole way: what a source sends is filtered, every drop stands in the ledger."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hub.admin.replays import replay_messages
from hub.admin.schemas import (
    add_key,
    add_missing,
    remove_key,
    remove_schema,
    set_schema,
    set_schemas,
    shown,
    versions,
)
from hub.core import clock
from hub.core.database import read, write
from hub.inbox import seen
from hub.inbox.values import MessageFilter
from hub.ledger import store as ledger
from hub.ledger.values import RunFilter
from hub.preview.preview import Wish, preview
from hub.profiles import schema_store
from hub.runtime.apply.mappers import hooks_of, mapper_of
from hub.runtime.live import schemas as live_schemas
from hub.runtime.live.schemas import LiveSchemas, installed
from hub.sdk.errors import ConfigurationError
from hub.sdk.json import loads
from hub.sdk.values import Operation
from tests.rooms.whole import Whole

PROFILE = {"allow_defined_only": True, "properties": {"points": "number", "tier": "string", "home": "geopoint"}}
TRAITS = {"points": "120", "tier": "gold", "shoe": 42, "home": {"lat": 51.45, "lng": -2.59}}


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every message sees the schema of that moment."""
    monkeypatch.setattr(live_schemas, "LOOK_S", 0.0)


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
    replay_messages(whole.hub, MessageFilter(status="applied"), clock.now(), "tests", is_dry=False)
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
    from hub.runtime.process.installation import Installation

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
    assert live.snapshot() is one, "the same schema in another order is not another version"
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

    from hub.runtime.apply.loop import ApplyRole

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


# ── versions ─────────────────────────────────────────────────────────────────────────────────────────────────────


def hashes(whole: Whole) -> dict[str, str]:
    """The schema version that each message names."""
    with read(whole.engine) as state:
        return {row.message_id: row.schema_hash for row in seen.page(state, MessageFilter(), None, 99)}


def as_then(whole: Whole, version: str) -> dict[str, Any]:
    with read(whole.engine) as database:
        return {row["kind"]: set(row["properties"]) for row in shown(database, of_version=version)}


@pytest.mark.usefixtures("at_once")
def test_a_message_names_the_version_it_was_filtered_by_and_that_can_be_read_for_as_long(whole: Whole) -> None:
    [free] = whole.receives({"type": "identify", "userId": "ada", "traits": {"points": "1"}})
    whole.applies()
    define(whole, "profile", PROFILE)
    [first] = whole.receives({"type": "identify", "userId": "ada", "traits": {"points": "many"}})
    [ignored] = whole.receives({"type": "identify", "anonymousId": "nobody", "traits": {"points": "2"}})
    whole.applies()
    define(whole, "order", {"properties": {"size": "number"}})
    [second] = whole.receives({"type": "identify", "userId": "ada", "traits": {"points": "3"}})
    whole.applies()
    with write(whole.engine) as database:
        remove_schema(database, clock.now(), "profile", "tests")
        remove_schema(database, clock.now(), "order", "tests")

    found = hashes(whole)
    assert found[free] == ""
    assert found[ignored] == found[first]
    assert len({found[free], found[first], found[second]}) == 3
    assert as_then(whole, found[first]) == {"profile": set(PROFILE["properties"])}  # type: ignore[arg-type]
    assert as_then(whole, found[second][:12]).keys() == {"profile", "order"}
    whole.books()


@pytest.mark.usefixtures("at_once")
def test_a_message_applied_again_names_the_version_of_then(whole: Whole) -> None:
    define(whole, "profile", {"properties": {"points": "boolean"}})
    [sent] = whole.receives({"type": "identify", "userId": "ada", "traits": {"points": "12"}})
    whole.applies()
    before = hashes(whole)[sent]
    assert warnings(whole)[sent] == [("schema_wrong_type", "metadata.points")]

    define(whole, "profile", PROFILE)
    replay_messages(whole.hub, MessageFilter(status="applied"), clock.now(), "tests", is_dry=False)
    assert warnings(whole)[sent] == []
    assert hashes(whole)[sent] == LiveSchemas(whole.hub).snapshot().hash != before
    assert metadata(whole) == {"points": 12}


@pytest.mark.usefixtures("at_once")
def test_messages_that_lost_something_are_counted_found_and_replayed_alone(whole: Whole) -> None:
    define(whole, "profile", PROFILE)
    fine, lossy = whole.receives(
        {"type": "identify", "userId": "ada", "traits": {"points": "1"}},
        {"type": "identify", "userId": "ben", "traits": {"points": "many"}},
    )
    whole.applies()
    wanted = MessageFilter(status="applied", is_warned=True)
    with read(whole.engine) as database:
        [run] = ledger.runs(database, RunFilter(kind="apply")).items
        assert [row.message_id for row in seen.page(database, wanted, None, 9)] == [lossy]
        assert seen.count(database, wanted) == 1
    assert (run.counts["applied"], run.counts["warned"]) == (2, 1)

    first = hashes(whole)[fine]
    define(whole, "profile", {"properties": {"points": "string"}})
    assert replay_messages(whole.hub, wanted, clock.now(), "tests", is_dry=False)["applied"] == 1
    ben = whole.profile("ben")
    assert ben is not None
    assert ben["metadata"] == {"points": "many"}
    assert (hashes(whole)[fine], hashes(whole)[lossy]) == (first, LiveSchemas(whole.hub).snapshot().hash)
    whole.books()


@pytest.mark.usefixtures("at_once")
def test_a_message_of_someone_erased_and_one_that_fails_name_it_too(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hub.mapping.inbound import Inbound

    define(whole, "profile", PROFILE)
    whole.identifies("ada", points="1")
    whole.erases("ada")
    [gone] = whole.receives({"type": "identify", "userId": "ada", "traits": {"points": "2"}})
    whole.applies()
    with monkeypatch.context() as patch:
        patch.setattr(Inbound, "apply", lambda *_, **__: 1 / 0)
        [failed] = whole.receives({"type": "identify", "userId": "ben", "traits": {"points": "2"}})
        whole.applies()
    assert whole.messages()[gone] == ("ignored", "erased")
    assert whole.messages()[failed] == ("quarantined", "mapping_defect")
    assert {hashes(whole)[gone], hashes(whole)[failed]} == {LiveSchemas(whole.hub).snapshot().hash}


def test_what_is_set_together_is_one_version_and_what_returns_is_the_one_of_before(whole: Whole) -> None:
    both = {"profile": PROFILE, "order": {"properties": {}}}
    with write(whole.engine) as database:
        set_schemas(database, 1_000, both, "tests")
        set_schemas(database, 2_000, {"order": {"properties": {"size": "number"}}}, "tests")
        set_schemas(database, 3_000, both, "tests")
        found = versions(database)
    assert [(each["created_at"], each["is_active"]) for each in found] == [(2_000, False), (1_000, True)]
    assert found[0]["kinds"] == ["order", "profile"]
    with read(whole.engine) as database:
        audit = [each for each in ledger.audits(database, None, 99).items if each.action == "schema.set"]
    assert [each.detail["version"] for each in audit] == [
        found[1]["hash"], found[0]["hash"], found[1]["hash"], found[1]["hash"]
    ]  # fmt: skip


@pytest.mark.parametrize("prefix", ["", " ", "zz", "%", "_", "0" * 64])
def test_a_version_that_there_is_not_is_told_in_one_sentence(whole: Whole, prefix: str) -> None:
    define(whole, "profile", PROFILE)
    with read(whole.engine) as database, pytest.raises(ConfigurationError, match=r"no schema version .* lists those"):
        shown(database, of_version=prefix)


def test_a_version_that_could_be_several_is_told_in_one_sentence(whole: Whole) -> None:
    for number in range(17):  # of sixteen first characters one comes twice
        define(whole, "profile", {"properties": {f"key_{number}": "number"}})
    with read(whole.engine) as database:
        firsts = [each["hash"][0] for each in versions(database)]
        [prefix, *_] = [first for first in firsts if firsts.count(first) > 1]
        with pytest.raises(ConfigurationError, match="several schema versions"):
            shown(database, of_version=prefix.upper())


def test_a_change_is_noticed_however_the_clocks_of_two_hosts_differ(whole: Whole, at_once: None) -> None:
    """One host sets, the other, behind by hours, replaces: as often as before, and no later than before."""
    live = LiveSchemas(whole.hub)
    late, early = clock.now(), clock.now() - 3_600_000_000
    with write(whole.engine) as database:
        set_schema(database, early, "profile", PROFILE, "tests")
        set_schema(database, late, "order", PROFILE, "tests")
    before = live.snapshot()
    with write(whole.engine) as database:
        remove_schema(database, early, "profile", "tests")
        set_schema(database, early, "profile", {"properties": {}}, "tests")
    assert live.snapshot().hash != before.hash


def test_keys_that_are_added_at_the_same_time_are_all_there(whole: Whole) -> None:
    """Each builds on what the other made, and the version that stands in the end can be read."""
    together = threading.Barrier(4)

    def adds(number: int) -> None:
        together.wait()
        for place in range(5):
            with write(whole.engine) as database:
                add_key(database, clock.now(), "profile", f"key_{number}_{place}", "number", "tests")

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(adds, number) for number in range(4)]:
            done.result()
    with read(whole.engine) as database:
        assert len(schema_store.every(database)["profile"]["properties"]) == 20
        [active] = [each for each in versions(database) if each["is_active"]]
        assert len(shown(database, of_version=active["hash"])[0]["properties"]) == 20


def test_a_key_named_like_a_built_in_trait_is_a_key_of_metadata_and_leaves_the_trait_alone(whole: Whole) -> None:
    define(whole, "profile", {"allow_defined_only": True, "properties": {"email": "number", "name": "string"}})
    whole.identifies("ada", email="ada@example.com", name="Ada", metadata={"email": "12", "name": 7})
    ada = whole.profile("ada")
    assert ada is not None
    assert ada["traits"] == {"email": "ada@example.com", "name": "Ada"}
    assert ada["metadata"] == {"email": 12, "name": "7"}
