from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from hub.campaigns import store
from hub.campaigns.publish import publish, why_none
from hub.campaigns.values import EXPIRED, OUT_OF_CODES, Wanted
from hub.core.clock import SECOND
from hub.core.database import is_passing, write
from hub.core.ids import new_id

NOW = 1_780_000_000 * SECOND
SEEDED = random.Random


def people(*names: str) -> list[Wanted]:
    return [Wanted(f"p-{name}", [name]) for name in names]


@pytest.mark.parametrize("kind", ["generated", "imported"])
def test_the_same_publication_gets_the_same_code_again(engine: Engine, kind: str):
    with write(engine) as connection:
        campaign = store.add(connection, NOW, name="Summer", kind=kind, is_once=False)
        if kind == "imported":
            store.import_codes(connection, campaign, ["A", "B", "C"])
        first = publish(connection, campaign, people("ann", "bob"), NOW, SEEDED(1))
    with write(engine) as connection:
        again = publish(connection, campaign, people("bob", "ann"), NOW + SECOND, SEEDED(2))
        assert again == first
        assert store.terms(connection)["published"] == 2


def test_drawing_a_taken_code_draws_again(engine: Engine):
    with write(engine) as connection:
        campaign = store.add(connection, NOW, name="Summer", is_once=False)
        one = publish(connection, campaign, people("ann", "bob"), NOW, SEEDED(1))
        two = publish(connection, campaign, people("cid", "dan"), NOW, SEEDED(1))  # the same draws
        codes = [code.code for code in [*one.values(), *two.values()]]
        assert len(set(codes)) == 4
        assert store.terms(connection) == {"codes": 4, "free": 0, "published": 4, "retired": 0}


def test_generated_codes_stop_at_half_of_the_space_and_the_rest_get_none(engine: Engine):
    with write(engine) as connection:
        campaign = store.add(connection, NOW, name="Small", pattern="###", charset="0123456789", is_once=False)
        wanted = [Wanted(new_id(), [f"s{number}"]) for number in range(600)]
        given_ = publish(connection, campaign, wanted, NOW, SEEDED(1))
        assert len({code.code for code in given_.values()}) == len(given_) == 500
        assert publish(connection, campaign, people("late"), NOW, SEEDED(2)) == {}
        assert why_none(campaign, NOW) == OUT_OF_CODES


def test_two_campaigns_with_one_pattern_never_share_a_code(engine: Engine):
    with write(engine) as connection:
        codes = []
        for name in ("one", "two"):
            campaign = store.add(connection, NOW, name=name, pattern="###", charset="0123456789", is_once=False)
            wanted = [Wanted(new_id(), [f"s{number}"]) for number in range(450)]
            codes += [code.code for code in publish(connection, campaign, wanted, NOW, SEEDED(1)).values()]
        assert len(codes) == len(set(codes)) == 900


def test_an_imported_campaign_gives_what_it_has_and_no_more(engine: Engine):
    with write(engine) as connection:
        campaign = store.add(connection, NOW, name="Spring", kind="imported")
        store.import_codes(connection, campaign, ["A", "B"])
        got = publish(connection, campaign, people("ann", "bob", "cid"), NOW, SEEDED(1))
        assert {key: code.code for key, code in got.items()} == {"p-ann": "A", "p-bob": "B"}
        store.import_codes(connection, campaign, ["C"])
        assert publish(connection, campaign, people("cid"), NOW, SEEDED(1))["p-cid"].code == "C"


def test_an_ended_campaign_gives_nothing(engine: Engine):
    with write(engine) as connection:
        campaign = store.add(connection, NOW, name="Short", expires_at=NOW + SECOND)
        assert publish(connection, campaign, people("ann"), NOW + SECOND, SEEDED(1)) == {}
    assert why_none(campaign, NOW + SECOND) == EXPIRED


@pytest.mark.parametrize("kind", ["generated", "imported"])
def test_a_person_who_joined_once_keeps_the_code(engine: Engine, kind: str):
    with write(engine) as connection:
        campaign = store.add(connection, NOW, name="Loyal", kind=kind)
        if kind == "imported":
            store.import_codes(connection, campaign, ["A", "B", "C"])
        first = publish(connection, campaign, [Wanted("p1", ["ann"])], NOW, SEEDED(1))["p1"]
        later = publish(connection, campaign, [Wanted("p2", ["ann"]), Wanted("p3", ["bob"])], NOW, SEEDED(2))
    assert later["p2"] == first
    assert later["p3"].code != first.code


def test_a_merged_person_keeps_the_earliest_of_their_codes(engine: Engine):
    with write(engine) as connection:
        campaign = store.add(connection, NOW, name="Loyal")
        early = publish(connection, campaign, [Wanted("p1", ["loser"])], NOW, SEEDED(1))["p1"]
        publish(connection, campaign, [Wanted("p2", ["survivor"])], NOW + SECOND, SEEDED(2))
        merged = publish(connection, campaign, [Wanted("p3", ["survivor", "loser"])], NOW, SEEDED(3))
    assert merged["p3"] == early


def test_two_publications_of_one_person_in_one_call_share_the_code(engine: Engine):
    with write(engine) as connection:
        campaign = store.add(connection, NOW, name="Loyal")
        got = publish(connection, campaign, [Wanted("p1", ["ann"]), Wanted("p2", ["ann"])], NOW, SEEDED(1))
        assert got["p1"] == got["p2"]
        assert store.terms(connection)["codes"] == 1


def test_whoever_lost_a_code_to_retirement_gets_a_new_one(engine: Engine):
    with write(engine) as connection:
        campaign = store.add(connection, NOW, name="Loyal")
        old = publish(connection, campaign, [Wanted("p1", ["ann"])], NOW, SEEDED(1))["p1"]
        store.retire(connection, [old.code])
        new = publish(connection, campaign, [Wanted("p2", ["ann"])], NOW, SEEDED(1))["p2"]
    assert new.code != old.code


def test_an_erased_holder_leaves_the_code_published_and_nobody_s_name_on_it(engine: Engine):
    with write(engine) as connection:
        campaign = store.add(connection, NOW, name="Loyal")
        old = publish(connection, campaign, [Wanted("p1", ["ann"])], NOW, SEEDED(1))["p1"]
        store.erase(connection, ["ann", "unknown"])
        assert store.terms(connection)["published"] == 1
        assert publish(connection, campaign, [Wanted("p2", ["ann"])], NOW, SEEDED(2))["p2"].code != old.code


def test_a_crash_before_commit_publishes_nothing(engine: Engine):
    with write(engine) as connection:
        campaign = store.add(connection, NOW, name="Spring", kind="imported")
        store.import_codes(connection, campaign, ["A"])

    def crash() -> None:
        with write(engine) as connection:
            publish(connection, campaign, people("ann"), NOW, SEEDED(1))
            raise RuntimeError("crash before commit")

    with pytest.raises(RuntimeError):
        crash()
    with write(engine) as connection:
        assert store.terms(connection) == {"codes": 1, "free": 1, "published": 0, "retired": 0}
        assert publish(connection, campaign, people("bob"), NOW, SEEDED(1))["p-bob"].code == "A"


@pytest.mark.parametrize(("kind", "is_once"), [("generated", False), ("imported", False), ("imported", True)])
def test_publishers_at_the_same_time_never_give_one_code_twice(engine: Engine, kind: str, is_once: bool):
    with write(engine) as connection:
        campaign = store.add(connection, NOW, name="Race", kind=kind, pattern="####", is_once=is_once)
        if kind == "imported":
            store.import_codes(connection, campaign, [f"C{number:04}" for number in range(200)])
    together = Barrier(4)

    def work(worker: int) -> list[str]:
        codes: list[str] = []
        together.wait()
        for step in range(10):
            wanted = [Wanted(new_id(), [f"{worker}-{step}-{number}"]) for number in range(5)]
            while True:
                try:
                    with write(engine) as connection:
                        given_ = publish(connection, campaign, wanted, NOW, SEEDED(7))  # all draw alike
                    break
                except Exception as error:
                    if not is_passing(error):
                        raise
            codes += [code.code for code in given_.values()]
        return codes

    with ThreadPoolExecutor(4) as pool:
        codes = [code for part in pool.map(work, range(4)) for code in part]
    assert len(codes) == len(set(codes)) == 200
    with write(engine) as connection:
        assert store.terms(connection) == {"codes": 200, "free": 0, "published": 200, "retired": 0}


def test_publishers_racing_for_one_person_give_that_person_one_code(engine: Engine):
    with write(engine) as connection:
        campaign = store.add(connection, NOW, name="Race")
    together = Barrier(4)

    def work(worker: int) -> str:
        together.wait()
        with write(engine) as connection:
            return publish(connection, campaign, [Wanted(f"p{worker}", ["ann"])], NOW, SEEDED(worker))[
                f"p{worker}"
            ].code

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(work, range(4)))) == 1


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["generated", "imported"]),
    is_once=st.booleans(),
    calls=st.lists(
        st.lists(st.tuples(st.integers(0, 8), st.integers(0, 5)), max_size=6, unique_by=lambda want: want[0]),
        max_size=6,
    ),
    seed=st.integers(0, 3),
)
def test_no_history_of_calls_gives_one_code_to_two_people(engine: Engine, kind, is_once, calls, seed):
    with write(engine) as connection:
        run = new_id()
        campaign = store.add(connection, NOW, name=run, kind=kind, is_once=is_once)
        if kind == "imported":
            store.import_codes(connection, campaign, [f"{run}{number}" for number in range(5)])
        person_of: dict[str, int] = {}
        owner: dict[str, set[int]] = {}
        had: dict[int, set[str]] = {}
        for call in calls:
            wanted = []
            for publication, person in call:
                person = person_of.setdefault(f"{run[9:]}-{publication}", person)
                wanted.append(Wanted(f"{run[9:]}-{publication}", [f"s{person}"]))
            for publication_id, code in publish(connection, campaign, wanted, NOW, SEEDED(seed)).items():
                owner.setdefault(code.code, set()).add(person_of[publication_id])
                had.setdefault(person_of[publication_id], set()).add(code.code)
        assert all(len(people_) == 1 for people_ in owner.values())
        assert not is_once or all(len(codes) == 1 for codes in had.values())
        terms = store.terms(connection)
        assert terms["codes"] == terms["free"] + terms["published"] + terms["retired"]
