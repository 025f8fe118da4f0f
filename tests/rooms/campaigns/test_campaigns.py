from __future__ import annotations

import random

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.exc import IntegrityError

from hub.campaigns import store
from hub.campaigns.publish import publish
from hub.campaigns.tables import CODE
from hub.campaigns.values import CodeCounts, Wanted
from hub.core.clock import DAY, SECOND
from hub.core.database import read, write
from hub.sdk.errors import ConfigurationError

NOW = 1_780_000_000 * SECOND


def test_a_campaign_is_found_by_name_and_by_id_with_its_own_json(engine: Engine):
    with write(engine) as connection:
        made = store.add(connection, NOW, name="Summer", prefix="S-", value={"percent_off": 10}, balance=None)
    with read(engine) as connection:
        assert store.find(connection, "Summer") == store.find(connection, made.id) == made
        assert store.every(connection) == [made]
    assert (made.pattern, made.value, made.is_once) == ("S-########", {"percent_off": 10}, True)


def test_two_campaigns_cannot_have_one_name(engine: Engine):
    with write(engine) as connection:
        store.add(connection, NOW, name="Summer")
        with pytest.raises(ConfigurationError, match="already"):
            store.add(connection, NOW, name="Summer")


REFUSED = [
    ({"name": ""}, "name"),
    ({"name": "x", "kind": "guessed"}, "not 'guessed'"),
    ({"name": "x", "length": 1}, "allows"),
    ({"name": "x", "expires_at": NOW}, "past"),
    ({"name": "x", "valid_s": 0}, "validity"),
]


def test_a_campaign_that_cannot_work_is_refused(engine: Engine):
    for given, words in REFUSED:
        with write(engine) as connection, pytest.raises(ConfigurationError, match=words):
            store.add(connection, NOW, **given)


def test_importing_rejects_what_exists_anywhere_and_says_where(engine: Engine):
    with write(engine) as connection:
        spring = store.add(connection, NOW, name="Spring", kind="imported")
        autumn = store.add(connection, NOW, name="Autumn", kind="imported")
        assert store.import_codes(connection, spring, ["A", "B", "B", "A"]).added == 2
        again = store.import_codes(connection, autumn, ["B", "C", "x" * 101])
        assert (again.added, again.rejected_count) == (1, 2)
        assert again.rejected["B"] == "It exists already, in campaign 'Spring'."
        assert store.import_codes(connection, autumn, ["C"]).added == 0
        assert store.terms(connection) == {"codes": 3, "free": 3, "published": 0, "retired": 0}


def test_a_campaign_that_makes_its_codes_takes_no_imports(engine: Engine):
    with write(engine) as connection:
        made = store.add(connection, NOW, name="Summer")
        with pytest.raises(ConfigurationError, match="makes its own codes"):
            store.import_codes(connection, made, ["A"])


def test_the_terms_follow_each_code_from_free_to_retired(engine: Engine):
    with write(engine) as connection:
        campaign = store.add(connection, NOW, name="Spring", kind="imported", is_once=False)
        store.import_codes(connection, campaign, ["A", "B", "C", "D"])
        publish(connection, campaign, [Wanted("p1", ["ann"]), Wanted("p2", ["bob"])], NOW, random.Random(1))
        assert store.retire(connection, ["A", "D", "unknown"]) == 2
        assert store.retire(connection, ["A"]) == 0
        assert store.counts(connection, campaign.id) == CodeCounts(free=1, published=1, retired=2)
        assert store.terms(connection) == {"codes": 4, "free": 1, "published": 1, "retired": 2}
        retired = store.code(connection, "A")
    assert retired is not None
    assert (retired.state, retired.publication_id) == ("retired", "p1")


def test_a_published_code_cannot_become_free_again(engine: Engine):
    with write(engine) as connection:
        campaign = store.add(connection, NOW, name="Summer")
        (code,) = publish(connection, campaign, [Wanted("p1", ["ann"])], NOW, random.Random(1)).values()
    with pytest.raises(IntegrityError), write(engine) as connection:
        connection.execute(update(CODE).where(CODE.c.code == code.code).values(state="free"))


def test_codes_are_listed_in_pages_by_state(engine: Engine):
    with write(engine) as connection:
        campaign = store.add(connection, NOW, name="Spring", kind="imported")
        store.import_codes(connection, campaign, ["b", "A", "a", "C", "B"])
        store.retire(connection, ["B"])
        first = store.codes(connection, campaign.id, "free", limit=3)
        rest = store.codes(connection, campaign.id, "free", first.next_cursor, limit=3)
    assert [code.code for code in [*first.items, *rest.items]] == ["A", "C", "a", "b"]
    assert rest.next_cursor is None


def test_a_code_ends_after_its_own_time_but_never_after_its_campaign(engine: Engine):
    with write(engine) as connection:
        campaign = store.add(connection, NOW, name="Short", expires_at=NOW + 5 * DAY, valid_s=2 * 86_400)
        early = publish(connection, campaign, [Wanted("p1", ["ann"])], NOW, random.Random(1))["p1"]
        late = publish(connection, campaign, [Wanted("p2", ["bob"])], NOW + 4 * DAY, random.Random(1))["p2"]
        over = publish(connection, campaign, [Wanted("p3", ["cid"])], NOW + 5 * DAY, random.Random(1))
    assert (early.expires_at, late.expires_at, over) == (NOW + 2 * DAY, NOW + 5 * DAY, {})
