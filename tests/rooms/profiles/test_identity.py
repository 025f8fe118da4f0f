"""Who is one person: a function of the set of links, on both engines, in any order, split, repeated and side by side."""

from __future__ import annotations

import threading
import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event as sql
from sqlalchemy.exc import DBAPIError

from hub.core.database import is_passing, read, write
from hub.mapping.anonymous import anonymous_key, is_anonymous
from hub.profiles import links, reading, store
from hub.profiles.rules.clusters import ordered, survivors
from tests.rooms.profiles.people import NOW, applied, change, digest, event, exported, merge
from tests.rooms.profiles.test_order_free import forget_everything, run, split

A1, A2, A3 = (anonymous_key("anonymous_id", name) for name in ("1", "2", "3"))
IDS = st.sampled_from(["a", "b", "c", "d", A1, A2, A3])
TOLD = st.builds(
    lambda who, at, linked, name: change(who, at, links=linked, fields={"name": name}, events=[event("seen")]),
    IDS, st.integers(0, 4), st.lists(st.tuples(IDS, IDS), max_size=3), st.sampled_from("xyz"),
)  # fmt: skip
HISTORIES = st.lists(TOLD, min_size=1, max_size=8)
FEW = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
FEWER = settings(FEW, max_examples=5)


def numbered(history):
    return [applied(one, f"m{place}") for place, one in enumerate(history)]


def told(messages):
    return {ordered(link[:2]) for one in messages for link in one.change.links if link.loser != link.survivor}


def redirects(state):
    rows = state.exec_driver_sql("SELECT source_id, survivor FROM profile").fetchall()
    return {source_id: survivor or source_id for source_id, survivor in rows}


@FEW
@given(HISTORIES, st.data())
def test_every_redirect_is_what_the_rule_makes_of_all_links(engine, history, data):
    messages = numbered(history)
    shuffled = data.draw(st.permutations(messages + messages[:2]))
    run(engine, split(shuffled, data.draw(st.lists(st.integers(0, 9), max_size=5))))
    chosen = survivors(told(messages))
    people = {end for pair in told(messages) for end in pair if not is_anonymous(end) or all(map(is_anonymous, pair))}
    speaking = {str(one.change.source_id) for one in messages}
    with read(engine) as state:
        assert redirects(state) == {one: chosen.get(one, one) for one in people | speaking}
        for one in sorted(people | speaking):
            around = links.circle(state, one)
            if is_anonymous(chosen.get(one, one)):
                assert around.survivor == chosen.get(one, one)
                assert not around.people
            else:
                known = {who for who in people | speaking if chosen.get(who, who) == around.survivor}
                assert around.people == {who for who in known if not is_anonymous(who)}
                assert around.anonymous >= {who for who in known if is_anonymous(who)}


@FEW
@given(HISTORIES, HISTORIES, st.data())
def test_a_replay_with_other_links_ends_like_those_links_from_the_start(engine, before, after, data):
    size = min(len(before), len(after))
    first = numbered(before[:size])
    again = [one._replace(change=one.change._replace(links=new.links), revision=3, previous=one.change.source_id)
             for one, new in zip(first, after, strict=False)]  # fmt: skip
    run(engine, split(data.draw(st.permutations(first)), [2, 4]))
    with write(engine) as state:
        merge(state, *data.draw(st.permutations(again)))
        chosen = survivors(told(again))
        assert redirects(state) == {one: chosen.get(one, one) for one in redirects(state)}


@FEWER
@given(HISTORIES, st.data())
def test_workers_side_by_side_end_like_one(engine, history, data):
    messages = numbered(history)
    expected = run(engine, [messages])
    forget_everything(engine)
    shares = [messages[place::3] for place in range(3)]
    failures = []

    def work(share):
        try:
            for one in share:
                merge_until_done(engine, one)
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=work, args=(data.draw(st.permutations(share)),)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    with read(engine) as state:
        assert exported(state) == expected


def merge_until_done(engine, one):
    """As the apply role: what a passing trouble such as a deadlock broke is repeated."""
    while True:
        try:
            with write(engine) as state:
                merge(state, one)
            return
        except DBAPIError as error:
            if not is_passing(error):
                raise


def test_the_traits_of_a_cluster_keep_their_own_times(engine):
    with write(engine) as state:
        merge(state, applied(change("a", 10, fields={"name": "early", "email": "a@b.c"}), "m1"))
        merge(state, applied(change(A1, 30, fields={"name": "late", "metadata.seen": 1}), "m2"))
        merge(state, applied(change("b", 20, fields={"name": "between"}, links=[("a", "b"), (A1, "a")]), "m3"))
        shown = store.show(state, "b")
    assert shown["traits"] == {"name": "late", "email": "a@b.c"}
    assert shown["merged"] == ["a", A1]


def test_an_anonymous_id_has_no_row_until_something_is_said_under_it(engine):
    with write(engine) as state:
        assert merge(state, applied(change("u", links=[(A1, "u")]))).joined == ()
        assert redirects(state) == {"u": "u"}
        late = merge(state, applied(change(A1, events=[event("seen")]), "m2"))
        assert (late.created, late.joined) == ((A1,), ("u",))
        assert store.show(state, "u")["events"] == {"seen": 1}


def test_an_anonymous_id_is_read_though_the_one_it_is_linked_to_never_spoke(engine):
    with write(engine) as state:
        merge(state, applied(change(A2, fields={"name": "x"}, links=[(A2, A1)])))
        assert redirects(state) == {A1: A1, A2: A1}
        assert reading.anonymous(state, None, 9) == [A1]
        assert store.show(state, A2)["traits"] == {"name": "x"}
        assert store.show(state, A2)["redirected_from"] == A2
        merge(state, applied(change("u", links=[(A1, "u")]), "m3"))
        assert store.show(state, "u")["merged"] == [A1, A2]


def test_a_link_told_again_writes_nothing_and_takes_no_lock(engine):
    with write(engine) as state:
        merge(state, applied(change("u", 1, fields={"name": "Ada"}, links=[(A1, "u")])))
    seen = []
    sql.listen(engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    with write(engine) as state:
        merge(state, applied(change("u", 2, fields={"name": "Ada"}, links=[(A1, "u")]), "m2"))
    about = [text for text in seen if "profile_link" in text or "advisory" in text or "survivor" in text]
    assert len([text for text in about if "shared" not in text]) == 1


def test_unlinked_people_cost_no_statement_about_links(engine):
    seen = []
    sql.listen(engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    with write(engine) as state:
        merge(state, applied(change("u", 2, fields={"name": "Ada"}, events=[event("seen")])))
    assert not [text for text in seen if "profile_link" in text or "advisory" in text]


def test_an_id_that_everybody_shares_stays_cheap(engine):
    """A kiosk, or a sender that gives everyone the same id: its links are never all read for one more."""
    crowd = [applied(change(f"u{number:05}", links=[(A1, f"u{number:05}")]), f"m{number}") for number in range(20_000)]
    with write(engine) as state:
        for start in range(0, len(crowd), 2_000):
            merge(state, *crowd[start : start + 2_000])
        merge(state, applied(change(A1, fields={"name": "kiosk"}), "kiosk"))
        began = time.perf_counter()
        merge(state, *[applied(change(f"v{n}", links=[(A1, f"v{n}")]), f"v{n}") for n in range(100)])
        took_s = time.perf_counter() - began
        assert redirects(state)[A1] == A1
        assert reading.anonymous(state, None, 9) == [A1]
    assert took_s < 1


def test_a_redirect_is_shown_and_so_are_the_links(engine):
    with write(engine) as state:
        merge(state, applied(change("b", 10, links=[("a", "b"), (A1, "a"), (A2, "b"), (A2, "z")])))
        asked, root, links_ = store.show(state, "a"), store.show(state, "b"), reading.links(state, "a")
    assert (asked["source_id"], asked["redirected_from"]) == ("b", "a")
    assert "redirected_from" not in root
    assert root["links"] == asked["links"] == links_
    followed = {(link["loser"], link["survivor"]): link["is_followed"] for link in links_}
    assert followed == {("a", "b"): True, (A1, "a"): True, (A2, "b"): False}
    with read(engine) as state:
        assert reading.links(state, "nobody") == []
        assert [link["survivor"] for link in reading.links(state, A2)] == ["b", "z"]


def test_erasing_takes_the_persons_devices_and_nobody_elses_data(engine):
    with write(engine) as state:
        merge(state, applied(change("u1", fields={"name": "Ada"}, links=[("u0", "u1"), (A1, "u1"), (A2, "u1")])))
        merge(state, applied(change("u2", fields={"name": "Bob"}, links=[(A2, "u2"), (A3, "u2")]), "m2"))
        merge(state, *[applied(change(one, events=[event("seen")]), one) for one in (A1, A2, A3)])
        erased = store.erase(state, A1, NOW, digest)
        assert (erased.survivor, erased.source_ids) == ("u1", (A1, A2, "u0", "u1"))
        assert erased.identifiers["source_id"] == ["u0", "u1"]
        assert redirects(state) == {"u2": "u2", A3: "u2"}
        merge(state, applied(change("u2", links=[(A2, "u2"), (A1, "u2"), ("u0", "u2")]), "m3"))
        assert redirects(state) == {"u2": "u2", A3: "u2"}


def test_erasing_a_shared_device_takes_only_what_came_under_it(engine):
    with write(engine) as state:
        merge(
            state,
            applied(change("u1", links=[(A1, "u1"), (A1, "u2")])),
            applied(change(A1, fields={"name": "x"}), "m2"),
        )
        assert store.erase(state, A1, NOW, digest).source_ids == (A1,)
        assert redirects(state) == {"u1": "u1", "u2": "u2"}
