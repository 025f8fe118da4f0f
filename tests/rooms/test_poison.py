"""What no row can hold, through every door: it arrives made harmless, or is refused in a sentence. On both engines.

What vendors answer stands in tests/rooms/outbox/test_poison.py.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from hub.campaigns import store as campaigns
from hub.core import clock
from hub.core.database import write
from hub.inbox.headers import kept_headers
from hub.inbox.refused import kept_request
from hub.inbox.tables import INBOX
from hub.inbox.values import AcceptedRequest
from hub.mapping.language.document import load
from hub.profiles import requests
from hub.runtime.process.schema import metadata
from hub.sdk.errors import ConfigurationError
from hub.sdk.values import RawMessage
from tests.harness import eventually
from tests.rooms import poison
from tests.rooms.poison import HALF, NUL, POISON, named, reached, text_columns, unstorable
from tests.rooms.test_importing import Files
from tests.rooms.whole import Whole

WAYS = (
    poison.OURS, poison.OPERATORS, poison.SENDERS, poison.VENDORS, poison.FILES, poison.ERASURES, poison.KEYS,
    poison.COPIES, poison.ESCAPED, poison.NOT_KEPT,
)  # fmt: skip


def test_each_column_of_text_is_filled_in_a_way_that_is_tried():
    tables = [*metadata().sorted_tables, *INBOX.sorted_tables]
    there = {f"{table.name}.{name}" for table in tables for name in text_columns(table)}
    placed = Counter(column for way in WAYS for column in named(way))
    assert there - set(placed) == set(), "place it in tests/rooms/poison.py, by the way its text comes in"
    assert set(placed) - there == set(), "there is no such column any more"
    assert [column for column, count in placed.items() if count > 1] == []


def test_what_sources_send_is_stored_as_far_as_it_can_be(whole: Whole):
    whole.connect("crm", "profiles", "events", "audience", "consent")
    product = {"product_id": POISON, "name": POISON, POISON: POISON, "price": 1, "quantity": 1}
    order = {"order_id": POISON, "total": 10, "currency": "EUR", "coupon": POISON, "products": [product]}
    traits = {"name": POISON, "address": {"city": POISON, POISON: POISON}, POISON: [POISON, {POISON: 10**30}]}
    audience = {"computation_class": "audience", "computation_key": POISON, "computation_id": POISON}
    consent = {"consent": {"categoryPreferences": {POISON: True}}}
    whole.receives(
        {"type": "identify", "userId": "ada", "anonymousId": POISON, "traits": traits},
        {"type": "identify", "userId": POISON, "traits": {"email": "odd@example.com"}, "context": consent},
        {
            "type": "track",
            "userId": "ada",
            "event": POISON,
            "messageId": POISON,
            "properties": {POISON: POISON, "coupon": POISON},
        },
        {"type": "track", "userId": "ada", "event": "Order Completed", "properties": order},
        {"type": "group", "userId": "ada", "groupId": POISON, "traits": {POISON: POISON}},
        {"type": "identify", "userId": "ada", "traits": {POISON: True}, "context": {"personas": audience}},
        {"type": "identify", "userId": "ada", "context": consent},
        {"type": "alias", "userId": "bob", "previousId": f"old {POISON}"},
        {"type": "alias", "userId": f"new {POISON}", "previousId": "eve"},
        {"type": POISON, "userId": "ada"},
    )
    headers = kept_headers({"user-agent": POISON, POISON: POISON})
    for message_id in (POISON, "another"):
        message = RawMessage(b"{}", message_id, POISON)
        whole.inbox.append(AcceptedRequest(whole.web.id, clock.now(), [message], headers))
    refused = kept_request(whole.web.id, "payload_invalid", POISON, {"user-agent": POISON}, b"", clock.now())
    whole.inbox.refuse(whole.web.id, "payload_invalid", clock.now(), lambda: refused)
    eventually(lambda: "refused_request.path" in whole.places("\ufffd"), what="the refused request being kept")
    inbox_holds = whole.places("\ufffd")
    whole.applies()
    whole.delivers()
    assert named(poison.SENDERS) - reached(whole.engine, metadata()) - set(inbox_holds) == set()
    assert unstorable(whole.engine, metadata()) == set()
    assert {"message.headers", "refused_request.headers"} <= set(whole.places("user-agent"))
    whole.books()


HEADED = {
    "customers": "Source ID,E-mail,Loyalty\nu1,ada@example.com,{}\n",
    "events": "source_id,event,at,{0}\nu1,{0},2026-11-30T10:00:00Z,{0}\n",
    "orders": "source_id,order_id,amount,status\nu1,{},1,PAID\n",
    "products": "product_id,name,price\n{0},{0},1\n",
}


@pytest.mark.parametrize("encoding", ["", "utf-8"])
@pytest.mark.parametrize("kind", HEADED)
def test_what_files_hold_is_stored_as_far_as_it_can_be_or_refused(
    whole: Whole, tmp_path: Path, kind: str, encoding: str
):
    files = Files(whole, tmp_path)
    files.path = tmp_path / "people\udcff.csv"
    for text in (b"a\xffb", b"a\0b", b"a\xed\xa0\x80b"):
        content = HEADED[kind].encode().replace(b"{0}", text).replace(b"{}", text)
        with suppress(ConfigurationError):
            files.imports(content, kind, encoding=encoding)
    assert unstorable(whole.engine, metadata()) == set()
    whole.books()


def test_codes_that_no_row_can_hold_are_rejected_by_name(whole: Whole):
    with write(whole.engine) as database:
        spring = campaigns.add(database, clock.now(), name="Spring", kind="imported")
        done = campaigns.import_codes(database, spring, ["GOOD", NUL, HALF, "x" * 10_000])
    assert (done.added, done.rejected_count) == (1, 3)


def test_what_requests_to_erase_say_is_stored_as_far_as_it_can_be(whole: Whole):
    with write(whole.engine) as database:
        made = requests.register(
            database, whole.web.id, POISON, clock.now(), regulation=POISON, callbacks="sealed", callback_count=1
        )
        assert requests.withdraw(database, made, clock.now())
        [due] = requests.due_callbacks(database, clock.now())
        requests.put_off(database, due, clock.now(), POISON * 9_999)
        assert requests.find(database, whole.web.id, POISON) is not None
    assert named(poison.ERASURES) - reached(whole.engine, metadata()) == set()
    assert unstorable(whole.engine, metadata()) == set()


@pytest.mark.parametrize("text", [r'name: "a\0b"', r'name: "a\ud800b"', r'"a\0b": name'])
def test_an_operators_file_with_such_a_text_is_refused_with_its_place(text: str):
    with pytest.raises(ConfigurationError, match=r"acme.yaml:2:\d+.*no database stores"):
        load(f"connector: acme\n{text}\n", "acme.yaml")
