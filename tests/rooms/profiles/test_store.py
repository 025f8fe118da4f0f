"""Merging, reading and erasing profiles, on both engines."""

from __future__ import annotations

import threading

import pytest

from hub.core.database import read, write
from hub.mapping.model import REMOVED
from hub.profiles import store
from hub.profiles.people import People
from tests.rooms.profiles.people import NOW, SOURCE, applied, change, digest, event, everyone, exported, merge


@pytest.fixture
def state(engine):
    with write(engine) as connection:
        yield connection


def test_merging_twice_changes_nothing(state):
    one = applied(change(fields={"email": "a@b.c"}, events=[event("bought")], orders=[("o1", {"amount": 1}, {})]))
    assert merge(state, one).created == ("u1",)
    before = exported(state)
    again = merge(state, one)
    assert exported(state) == before
    assert again.created == again.changed == ()
    assert again.orders == 0


def test_only_profiles_whose_fields_differ_count_as_changed(state):
    merge(state, applied(change("u1", fields={"name": "A"})), applied(change("u2", fields={"name": "B"}), "m2"))
    late = [
        applied(change("u1", 50, fields={"name": "late"}), "m3"),
        applied(change("u2", 150, fields={"name": "C"}), "m4"),
    ]
    assert merge(state, *late).changed == ("u2",)


def test_a_profile_of_which_only_an_event_is_known_is_a_profile(state):
    assert merge(state, applied(change("ghost", events=[event("viewed"), event("viewed", 1)]))).events == 2
    assert store.show(state, "ghost")["events"] == {"viewed": 2}
    assert store.audience(state, None, 10) == ["ghost"]


def test_a_profile_shows_all_that_is_known_of_it(state):
    merge(
        state,
        applied(
            change(
                fields={"email": "Ada@b.c", "address.city": "Ghent", "metadata.points": 3, "phone": REMOVED},
                identities=[("email", "Ada@b.c"), ("anonymous_id", "anon"), ("device", "d" * 4_000)],
                events=[event("bought", worth=3)],
                orders=[("o1", {"status": "PAID"}, {"r1": {"amount": 100}})],
                consents=[("email", True, None)],
            )
        ),
    )
    shown = store.show(state, "u1")
    assert shown["traits"] == {"email": "Ada@b.c", "address": {"city": "Ghent"}}
    assert shown["metadata"] == {"points": 3}
    assert shown["identities"] == {"anonymous_id": ["anon"], "device": ["d" * 4_000], "email": ["Ada@b.c"]}
    assert shown["consents"]["email"]["status"] == "granted"
    assert shown["events"] == {"bought": 1}
    assert shown["orders"] == [{"id": "o1", "status": "PAID", "refunds": {"r1": {"amount": 100}}}]
    assert shown["segments"] == shown["merged"] == []
    assert store.show(state, "nobody") is None


def test_outbound_mappings_see_that_a_trait_was_removed(state):
    merge(state, applied(change(fields={"phone": REMOVED, "metadata.tier": REMOVED, "name": "Ada"})))
    view = store.views(state, ["u1", "nobody"])
    assert list(view) == ["u1"]
    assert view["u1"]["phone"] is REMOVED
    assert view["u1"]["metadata"]["tier"] is REMOVED


def test_a_shared_email_never_merges_two_people(state):
    identities = [("email", "family@b.c")]
    merge(state, applied(change("u1", identities=identities)), applied(change("u2", identities=identities), "m2"))
    assert store.find(state, "email", "FAMILY@b.c") == ["u1", "u2"]
    assert store.audience(state, None, 10) == ["u1", "u2"]


def test_an_order_of_ten_thousand_characters_is_kept_under_its_full_id(state):
    merge(state, applied(change(orders=[("o" * 10_000, {"amount": 1}, {})])))
    assert store.show(state, "u1")["orders"][0]["id"] == "o" * 10_000


def test_text_that_databases_refuse_is_stored_all_the_same(state):
    strange = event("k\0ey" * 100, event_id="i\0d")._replace(name="n\0ame", code="c\0", order_id="o\0")
    parts = {
        "identities": [("email", "a\0@b.c")],
        "consents": [("email\0", False, "x\0@y.z")],
        "orders": [("o\0", {}, {})],
    }
    merge(state, applied(change(fields={"metadata.x\0": "a\0"}, events=[strange], **parts)))
    shown = store.show(state, "u1")
    assert shown["metadata"] == {"x\0": "a\0"}
    assert sum(shown["events"].values()) == 1


def test_numbers_beyond_64_bits_and_lone_surrogates_do_not_stop_a_batch(state):
    merge(state, applied(change(fields={"metadata.big": 2**70, "name": "a\ud800"}, events=[event("e", big=2**70)])))
    assert store.show(state, "u1")["metadata"]["big"] == float(2**70)


# ── events and orders ────────────────────────────────────────────────────────────────────────────────────────────


def test_two_messages_that_tell_of_one_event_count_it_once_and_the_later_tells_it(state):
    early = applied(change("u1", 10, events=[event("bought", event_id="E", worth=1)]), "m1")
    late = applied(change("u2", 20, events=[event("bought", event_id="E", worth=2)]), "m2")
    merge(state, late)
    merge(state, early)
    rows = state.exec_driver_sql("SELECT source_id, properties FROM event").fetchall()
    assert [tuple(row) for row in rows] == [("u2", '{"worth":2}')]


def test_the_same_event_id_from_another_connection_is_another_event(state):
    one = applied(change(events=[event("bought", event_id="E")]))
    merge(state, one, one._replace(connection_id="01OTHER0000000000000000000", message_key="other key 000000"))
    assert store.show(state, "u1")["events"] == {"bought": 2}


def test_fields_of_an_order_come_from_their_own_latest_message(state):
    merge(state, applied(change("u1", 20, orders=[("o1", {"status": "PAID"}, {})]), "m2"))
    merge(state, applied(change("u1", 10, orders=[("o1", {"status": "CREATED", "amount": 5}, {"r": {"amount": 1}})])))
    assert store.show(state, "u1")["orders"] == [
        {"id": "o1", "amount": 5, "status": "PAID", "refunds": {"r": {"amount": 1}}}
    ]


# ── merged profiles ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_merged_profile_is_read_through_its_survivor_however_long_the_chain(state):
    merge(state, applied(change("b", 20, fields={"name": "B"}, links=[("a", "b")]), "m1"))
    merge(state, applied(change("d", 10, fields={"name": "D", "email": "d@d.d"}, links=[("c", "d")]), "m2"))
    assert store.redirects(state, ["a", "b", "c", "d"]) == {"a": "b", "b": "b", "c": "d", "d": "d"}
    merge(state, applied(change("c", 5, events=[event("bought")], links=[("b", "c")]), "m3"))
    assert set(store.redirects(state, ["a", "b", "c", "d"]).values()) == {"d"}
    assert store.audience(state, None, 10) == ["d"]
    shown = store.show(state, "a")
    assert shown["source_id"] == "d"
    assert shown["merged"] == ["a", "b", "c"]
    assert shown["traits"] == {"name": "B", "email": "d@d.d"}
    assert shown["events"] == {"bought": 1}
    assert store.views(state, ["a"])["a"]["source_id"] == "d"


def test_orders_of_merged_profiles_are_joined_by_their_id(state):
    merge(state, applied(change("a", 10, orders=[("o1", {"status": "CREATED", "amount": 5}, {})])))
    merge(state, applied(change("b", 20, orders=[("o1", {"status": "PAID"}, {})], links=[("a", "b")]), "m2"))
    assert store.show(state, "b")["orders"] == [{"id": "o1", "amount": 5, "status": "PAID", "refunds": {}}]


def test_a_link_that_a_corrected_mapping_no_longer_finds_is_undone(state):
    merge(state, applied(change("b", links=[("a", "b")])), applied(change("c", links=[("b", "c")]), "m2"))
    merge(state, applied(change("b"), revision=1, previous="b"))
    assert store.redirects(state, ["a", "b", "c"]) == {"a": "a", "b": "c", "c": "c"}


# ── consent ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_unsubscribe_that_comes_before_the_profile_is_known_is_not_lost(state):
    merge(state, applied(change(None, consents=[("email", False, "Ada@B.c")])))
    merge(state, applied(change("u1", 999, fields={"email": "ada@b.C"}, consents=[("email", True, None)]), "m2"))
    assert store.consent_for(state, ["u1"], ["email"])["u1"]["email"].is_granted is False
    assert store.show(state, "u1")["consents"]["email"]["status"] == "denied"
    people = People(digest)
    wanted = [("u1", "email"), ("u1", "email.news"), ("u1", "sms"), ("nobody", "email")]
    assert people.refused(state, wanted) == {("u1", "email"): "consent", ("u1", "email.news"): "consent"}


@pytest.mark.parametrize("told", ["+48 500-000-001", "48500000001", "0048 (500) 000.001", " +48500000001 "])
def test_a_number_that_was_refused_is_known_however_it_was_written(state, told):
    merge(state, applied(change(None, consents=[("sms", False, told)])))
    merge(state, applied(change("u1", fields={"phone": "+48500000001"}), "m2"))
    assert store.consent_for(state, ["u1"], ["sms"])["u1"]["sms"].is_granted is False
    store.erase(state, "u1", NOW, digest)
    assert not state.exec_driver_sql("SELECT * FROM consent").fetchall()


def test_a_refused_address_does_not_speak_for_another_channel_or_a_former_address(state):
    merge(state, applied(change(None, consents=[("email", False, "old@b.c"), ("sms", False, "ada@b.c")])))
    merge(state, applied(change("u1", 1, fields={"email": "old@b.c"}), "m2"))
    merge(state, applied(change("u1", 2, fields={"email": "ada@b.c"}), "m3"))
    states = store.consent_for(state, ["u1"], ["email", "sms"])["u1"]
    assert states["email"].is_granted is None
    assert states["sms"].is_granted is None


def test_a_grant_and_a_refusal_of_one_moment_end_as_a_refusal_in_either_order(state):
    for first, second, who in ((True, False, "u1"), (False, True, "u2")):
        merge(state, applied(change(who, consents=[("email", first, None)]), f"a{who}"))
        merge(state, applied(change(who, consents=[("email", second, None)]), f"b{who}"))
        assert store.consent_for(state, [who], ["email"])[who]["email"].is_granted is False


def test_of_merged_profiles_the_latest_word_counts(state):
    merge(state, applied(change("a", 10, consents=[("email", False, None)])))
    merge(state, applied(change("b", 20, consents=[("email", True, None)], links=[("a", "b")]), "m2"))
    assert store.consent_for(state, ["a"], ["email"])["a"]["email"].is_granted is True


# ── re-application ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_corrected_mapping_replaces_only_what_its_own_message_said(state):
    merge(state, applied(change(fields={"email": "wrong@b.c", "phone": "+1"}, identities=[("email", "wrong@b.c")])))
    merge(state, applied(change("u1", 200, fields={"phone": "+2"}), "m2"))
    merge(state, applied(change(fields={"name": "Ada", "phone": "+3"}), revision=4, previous="u1"))
    assert store.show(state, "u1")["traits"] == {"name": "Ada", "phone": "+2"}
    assert store.show(state, "u1")["identities"] == {}
    assert store.views(state, ["u1"])["u1"]["email"] is REMOVED


def test_a_message_that_now_speaks_of_someone_else_is_taken_from_the_first(state):
    parts = {"fields": {"name": "Ada"}, "events": [event("bought")], "orders": [("o1", {"amount": 1}, {})]}
    parts["consents"] = [("email", False, "ada@b.c")]
    merge(state, applied(change("wrong", **parts)))
    merge(state, applied(change("right", **parts), revision=1, previous="wrong"))
    wrong, right = everyone(state)[::-1]
    assert right["traits"] == {"name": "Ada"}
    assert right["events"] == {"bought": 1}
    assert wrong["source_id"] == "wrong"
    assert not wrong["traits"]
    assert not wrong["events"]
    assert not wrong["consents"]
    assert wrong["orders"] == [{"id": "o1", "refunds": {}}]


# ── erasure ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_erasing_takes_the_whole_person_and_leaves_only_hashes(state):
    secret = "unmistakable"
    parts = {"fields": {"email": f"{secret}@b.c", "name": secret}, "identities": [("anonymous_id", secret)]}
    parts |= {"events": [event(secret)], "orders": [(secret, {}, {})], "consents": [("email", False, f"{secret}@b.c")]}
    merge(state, applied(change(f"{secret}-1", **parts, links=[(f"{secret}-0", f"{secret}-1")])))
    merge(state, applied(change("other", fields={"name": "Bob"}), "m2"))
    erased = store.erase(state, f"{secret}-0", NOW, lambda text: f"{hash(text):x}")
    assert erased.source_ids == (f"{secret}-0", f"{secret}-1")
    assert erased.survivor == f"{secret}-1"
    assert erased.identifiers["email"] == [f"{secret}@b.c"]
    assert erased.identifiers["anonymous_id"] == [secret]
    assert secret not in repr(erased).replace("source_ids", "").partition("identifiers")[2]
    for name in ("profile", "identity", "event", "customer_order", "consent", "profile_link", "tombstone"):
        assert secret not in repr(state.exec_driver_sql(f"SELECT * FROM {name}").fetchall()), name
    assert store.audience(state, None, 10) == ["other"]


def test_an_erased_person_is_known_as_erased_until_an_operator_lifts_it(state):
    assert store.erased(state, ["u1", "u2"], digest) == set()
    store.erase(state, "u1", NOW, digest)
    assert store.erased(state, ["u1", "u2"], digest) == {"u1"}
    assert store.lift(state, "u1", NOW, digest)
    assert not store.lift(state, "u1", NOW, digest)
    assert store.erased(state, ["u1"], digest) == set()
    store.erase(state, "u1", NOW, digest)
    assert store.erased(state, ["u1"], digest) == {"u1"}


def test_a_link_never_brings_an_erased_person_back(state):
    store.erase(state, "gone", NOW, digest)
    merge(state, applied(change("u1", links=[("gone", "u1"), ("u0", "u1")])))
    assert store.redirects(state, ["gone", "u0", "u1"]) == {"u0": "u1", "u1": "u1"}


def test_a_replay_never_brings_an_erased_person_back(state):
    merge(state, applied(change("gone", fields={"name": "X"})))
    store.erase(state, "gone", NOW, digest)
    merge(state, applied(change("u1"), revision=1, previous="gone"))
    assert store.redirects(state, ["gone"]) == {}


def test_a_refusal_of_an_address_that_two_people_share_outlives_one_of_them(state):
    shared = [("email", "family@b.c")]
    merge(state, applied(change("u1", identities=shared, consents=[("email", False, "family@b.c")])))
    merge(state, applied(change("u2", fields={"email": "family@b.c"}, identities=shared), "m2"))
    store.erase(state, "u1", NOW, digest)
    assert store.consent_for(state, ["u2"], ["email"])["u2"]["email"].is_granted is False
    store.erase(state, "u2", NOW, digest)
    assert state.exec_driver_sql("SELECT count(*) FROM consent").scalar_one() == 0


def test_terms_count_what_is_stored(state):
    merge(state, applied(change("b", events=[event("x")], orders=[("o", {}, {})], links=[("a", "b")])))
    store.erase(state, "z", NOW, digest)
    assert store.terms(state) == {"profiles": 2, "merged": 1, "events": 1, "orders": 1, "erased": 1}


# ── pages and workers ────────────────────────────────────────────────────────────────────────────────────────────


def test_an_audience_is_paged_in_the_order_of_code_points(state):
    ids = ["Zoë", "a", "B", "é", "_", "a b", "🦊", "10", "9"]
    merge(state, *[applied(change(source_id), source_id) for source_id in ids])
    found, after = [], None
    while page := store.audience(state, after, 2):
        found += page
        after = page[-1]
    assert found == sorted(ids)


def test_workers_side_by_side_lose_nothing_and_agree(engine):
    """On PostgreSQL they overlap; on SQLite they queue. Each says one field of the same few people, new and old."""
    workers, rounds = 4, 6
    barrier = threading.Barrier(workers)
    failures = []

    def work(number):
        try:
            for turn in range(rounds):
                barrier.wait(timeout=20)
                batch = [
                    applied(
                        change(
                            f"u{person}-{turn}",
                            number,
                            fields={f"metadata.w{number}": turn, "name": f"{number}"},
                            orders=[("o", {f"f{number}": 1}, {})],
                            events=[event("did", event_id=f"shared {person}"), event("did", 1)],
                            links=[(f"u{person}-{turn}", f"v{number}")],
                        ),
                        f"m{number}.{turn}.{person}",
                    )
                    for person in range(3)
                ]
                with write(engine) as state:
                    merge(state, *batch)
        except BaseException as error:
            failures.append(error)
            barrier.abort()
            raise

    threads = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    with read(engine) as state:
        rows = state.exec_driver_sql("SELECT source_id, fields FROM profile WHERE source_id LIKE 'u%%'").fetchall()
        assert len(rows) == 3 * rounds
        assert all(fields.count("metadata.w") == workers for _, fields in rows)
        assert [profile["source_id"] for profile in everyone(state)] == ["v0"]
        assert everyone(state)[0]["events"] == {"did": workers * rounds * 3 + 3}
        assert len(everyone(state)[0]["orders"][0]) == workers + 2
        assert SOURCE in state.exec_driver_sql("SELECT connection_id FROM event LIMIT 1").scalar_one()
