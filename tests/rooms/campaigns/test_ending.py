"""Campaigns and codes end: retired where somebody may hold one, forgotten where nobody does; the books balance."""

from __future__ import annotations

import random

import pytest
from sqlalchemy import Connection, Engine, select

from hub.admin import campaigns as admin
from hub.campaigns import store
from hub.campaigns.publish import publish, why_none
from hub.campaigns.values import OUT_OF_CODES, RETIRED, Campaign, CodeCounts, Wanted
from hub.core.clock import SECOND
from hub.core.database import read, write
from hub.ledger.tables import AUDIT
from hub.sdk.errors import ConfigurationError

NOW = 1_780_000_000 * SECOND


@pytest.fixture
def spring(engine: Engine) -> Campaign:
    """Three imported codes, one of which Ada has."""
    with write(engine) as database:
        campaign = store.add(database, NOW, name="spring", kind="imported")
        store.import_codes(database, campaign, ["A", "B", "C"])
        assert _publish(database, campaign, "p-ada", "ada") == "A"
    return campaign


def test_a_retired_campaign_gives_no_more_codes_and_takes_none(engine: Engine, spring: Campaign) -> None:
    with write(engine) as database:
        assert admin.retire(database, NOW, spring, "tests") == 2
        retired = store.get(database, spring.id)

        assert store.counts(database, spring.id) == CodeCounts(0, 1, 2)
        assert why_none(retired, NOW) == RETIRED
        assert _publish(database, spring, "p-bob", "bob") is None, "also for who read it before it was retired"
        with pytest.raises(ConfigurationError, match="is retired and takes no more"):
            store.import_codes(database, spring, ["D"])
        with pytest.raises(ConfigurationError, match="already"):
            admin.retire(database, NOW, retired, "tests")
    _balances(engine, codes=3)
    assert "campaign.retired" in _audited(engine)


def test_a_campaign_that_makes_its_codes_is_retired_too(engine: Engine) -> None:
    with write(engine) as database:
        made = store.add(database, NOW, name="made")
        assert _publish(database, made, "p-ada", "ada")
        admin.retire(database, NOW, made, "tests")
        assert _publish(database, made, "p-bob", "bob") is None
    _balances(engine, codes=1)


def test_a_campaign_goes_only_while_nobody_has_a_code_of_it(engine: Engine, spring: Campaign) -> None:
    with write(engine) as database:
        unused = store.add(database, NOW, name="unused", kind="imported")
        store.import_codes(database, unused, ["X", "Y"])
        with pytest.raises(ConfigurationError, match=r"1 codes of 'spring' were given.*campaigns retire"):
            admin.remove(database, NOW, spring, "tests")
        store.retire(database, ["A"])
        with pytest.raises(ConfigurationError, match="were given"):
            admin.remove(database, NOW, spring, "tests")

        assert admin.remove(database, NOW, unused, "tests") == 2
        assert store.find(database, "unused") is None
        again = store.add(database, NOW, name="unused", kind="imported")
        assert store.import_codes(database, again, ["X"]).added == 1, "name and codes are free again"
    _balances(engine, codes=4)


def test_single_codes_are_retired_or_if_free_removed(engine: Engine, spring: Campaign) -> None:
    with write(engine) as database:
        assert admin.retire_codes(database, NOW, spring, ["A", "B"], "tests") == 2
        for wrong in (["A"], ["C", "A"], ["nothing"]):
            with (
                pytest.raises(ConfigurationError, match=r"none was removed|nothing has changed"),
                database.begin_nested(),
            ):
                admin.remove_codes(database, NOW, spring, wrong, "tests")
        assert store.counts(database, spring.id) == CodeCounts(1, 0, 2)
        assert _publish(database, spring, "p-again", "ada") == "C", "the holder of a retired code may be given another"
        store.import_codes(database, spring, ["D", "E"])
        assert admin.remove_codes(database, NOW, spring, ["D"], "tests") == 1
        assert admin.remove_codes(database, NOW, spring, None, "tests") == 1
        assert why_none(spring, NOW) == OUT_OF_CODES
    _balances(engine, codes=3)


def test_a_list_of_no_codes_is_refused_whole(engine: Engine, spring: Campaign) -> None:
    rubbish = [f"bad \x00 {number}" for number in range(30)]
    with write(engine) as database:
        with pytest.raises(ConfigurationError, match=r"30 of 31 lines cannot be codes, so none was imported"):
            admin.import_codes(database, NOW, spring, ["good", *rubbish], "tests")
        with pytest.raises(ConfigurationError, match="cannot be codes"):
            admin.import_codes(database, NOW, spring, ["good", "\ufffd"], "tests", most_bad=0)
        assert store.counts(database, spring.id).free == 2
        assert admin.import_codes(database, NOW, spring, ["good", *rubbish], "tests", most_bad=100).added == 1
        assert admin.import_codes(database, NOW, spring, ["late", "\x00"], "tests").added == 1, (
            "few are corrected by hand"
        )
    _balances(engine, codes=5)


def _publish(database: Connection, campaign: Campaign, publication_id: str, who: str) -> str | None:
    given = publish(database, campaign, [Wanted(publication_id, [who])], NOW, random.Random(1))
    return given[publication_id].code if given else None


def _balances(engine: Engine, codes: int) -> None:
    with read(engine) as database:
        terms = store.terms(database)
    assert terms.pop("codes") == codes == sum(terms.values())


def _audited(engine: Engine) -> list[str]:
    with read(engine) as database:
        return list(database.scalars(select(AUDIT.c.action)))
