"""Erasing a person everywhere, in one transaction: each room forgets its part, destinations are told by delivery.

What was asked and how far it has come stands in the erasure table (hub/profiles/requests.py); what takes longer than
the transaction (destinations, callbacks, a wait) is followed up by watch.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection as Database
from sqlalchemy import select

from hub.campaigns import store as campaigns
from hub.core.clock import Micros
from hub.core.ids import new_id
from hub.core.secrets import Vault
from hub.distributions import occasions
from hub.distributions import store as distributions
from hub.inbox import retention as inbox_rows
from hub.inbox.queue import Unreachable
from hub.inbox.sql import open_inbox
from hub.ledger.store import record_audit
from hub.mapping.anonymous import is_anonymous
from hub.mapping.model import Erase, Identity
from hub.outbox.queue import operate, store
from hub.outbox.tables import DELIVERY, PUSHED, REMEMBERED
from hub.outbox.values import NewDelivery
from hub.profiles import erasure, reading, requests
from hub.profiles.values import Erased, ErasureRecord
from hub.registry import store as registry
from hub.registry.values import Connection
from hub.runtime.process.installation import Installation
from hub.sdk.json import dumps, loads
from hub.sdk.values import ErasureStatus, Operation

ERASED, PUT_BY, WITHDRAWN = "erasures", "erasures_put_by", "erasures_withdrawn"


@dataclass(frozen=True, slots=True)
class Done:
    """What erasing one person did, without naming them. `deliveries`: ids of those that tell destinations."""

    profiles: int
    messages: int
    skipped: int
    deliveries: tuple[str, ...]
    destinations: tuple[str, ...]


def erase_person(
    hub: Installation, database: Database, source_id: str, now: Micros, actor: str, request_id: str = ""
) -> dict[str, Any]:
    """Erase whoever is known by this source_id, with everyone merged with them, as an operator asks; what was done.

    Nobody being known by it is not an error: the tombstone keeps late messages out all the same.
    """
    record = requests.register(database, "", request_id or new_id(now // 1000), now)
    requests.begin(database, record, now)
    done = _erase(hub, database, source_id, record.request_id, now, actor)
    _conclude(hub, database, record, [done], now)
    return {
        "request_id": record.request_id,
        "profiles": done.profiles,
        "messages": done.messages,
        "deliveries_skipped": done.skipped,
        "destinations": list(done.destinations),
    }


def is_known(database: Database, source_id: str) -> bool:
    """Whether an erasure would find anything of a person in any room."""
    people = erasure.everyone(database, source_id)
    return (
        erasure.is_known(database, people)
        or inbox_rows.is_known(database, people)
        or campaigns.is_known(database, people)
        or bool(_known_to(database, people))
    )


def erase_on_request(hub: Installation, database: Database, connection_id: str, erase: Erase, now: Micros) -> str:
    """What an erasure message of a source asks, unless that was withdrawn; one that can be withdrawn still is put by.

    Returns what became of it, as the sync run counts it.
    """
    request_id = erase.request_id or new_id(now // 1000)
    record = requests.register(database, connection_id, request_id, now, regulation=erase.regulation)
    if record.status is ErasureStatus.CANCELLED:
        return WITHDRAWN
    if record.status is ErasureStatus.PENDING:
        if record.acts_at > now:
            is_kept = requests.keep_sealed(database, record, sealed_erase(hub.vault, erase))
            return PUT_BY if is_kept else WITHDRAWN
        if not requests.begin(database, record, now):
            return WITHDRAWN
    carry_out(hub, database, record, [erase], now)
    return ERASED


def carry_out(
    hub: Installation, database: Database, record: ErasureRecord, asked: Iterable[Erase], now: Micros
) -> None:
    """Erase whom a source's request means: by source_id, else everyone known by its identities."""
    people = {source_id for erase in asked for source_id in _people(database, erase)}
    actor = f"source:{record.regulation or 'erase'}"
    done = [_erase(hub, database, one, record.request_id, now, actor) for one in sorted(people)]
    _conclude(hub, database, record, done, now)


def sealed_erase(vault: Vault, erase: Erase) -> str:
    """Whom a request means, readable by this installation only."""
    identities = [[one.type, one.value] for one in erase.identities]
    return vault.seal(dumps({"source_id": erase.source_id, "identities": identities}).decode())


def opened_erase(vault: Vault, sealed: str, at: Micros) -> Erase:
    """The inverse of sealed_erase. Raises ConfigurationError for another installation's."""
    told = loads(vault.open(sealed))
    identities = tuple(Identity(kind, value, at) for kind, value in told["identities"])
    return Erase(told["source_id"], identities, "", "", at)


def _people(database: Database, erase: Erase) -> list[str]:
    if erase.source_id:
        return [erase.source_id]
    return [found for one in erase.identities for found in reading.find(database, one.type, one.value)]


def _erase(hub: Installation, database: Database, source_id: str, request_id: str, now: Micros, actor: str) -> Done:
    """Each room forgets its part; destinations are told by delivery."""
    gone = erasure.erase(database, source_id, now, hub.vault.digest)
    names = {one: hub.vault.digest(one) for one in gone.source_ids}
    messages = inbox_rows.erase(database, gone.source_ids)
    known = _known_to(database, gone.source_ids)
    left = operate.erase(database, names, now)
    campaigns.erase(database, gone.source_ids)
    distributions.forget(database, gone.source_ids)
    occasions.erase(database, {one: operate.erased_source_id(name) for one, name in names.items()})
    told, deliveries = _tell_destinations(hub, database, gone, left, known, request_id, now)
    done = Done(len(gone.source_ids), messages, left.skipped, deliveries, told)
    detail = {
        "request_id": request_id,
        "profiles": done.profiles,
        "messages": messages,
        "deliveries_skipped": left.skipped,
        "destinations": list(told),
    }
    record_audit(database, now, actor, "person.erased", names[source_id], detail)
    return done


def _conclude(hub: Installation, database: Database, record: ErasureRecord, done: Sequence[Done], now: Micros) -> None:
    """With nothing to be told to destinations, and no topic to be truncated, that was all."""
    deliveries = [one for each in done for one in each.deliveries]
    is_complete = not deliveries and not hub.settings.kafka_bootstrap
    profiles = sum(each.profiles for each in done)
    requests.carried_out(database, record.id, profiles, deliveries, now, is_complete=is_complete)


def erasure_in_queue(hub: Installation) -> dict[str, str]:
    """After an erasure is committed: delete what was applied from the inbox topic, and say whether that is complete.

    Nothing to say where the inbox is a database: housekeeping removes applied rows within a minute or two.
    """
    if not hub.settings.kafka_bootstrap:
        return {}
    from hub.inbox.kafka import KafkaInbox

    inbox = open_inbox(hub.settings, hub.engine)
    assert isinstance(inbox, KafkaInbox), "with HUB_KAFKA_BOOTSTRAP it is one"
    try:
        inbox.prune(0)
        kept, waiting = inbox.left()
    except Unreachable as error:
        return {"inbox": f"Not complete: {error} Applied messages are deleted once it does; `hub doctor` tells."}
    finally:
        inbox.close()
    if kept:
        text = f"Not complete: {kept} applied messages are still in the inbox topic; `hub doctor` tells when none is."
    elif waiting:
        text = f"Complete but for {waiting} messages that wait: they are deleted once they are applied; `hub doctor` tells."
    else:
        text = "Complete: nothing can be read from the inbox topic any more."
    return {"inbox": text}


def _known_to(database: Database, source_ids: Sequence[str]) -> set[tuple[str, str]]:
    """(connection, source_id) for each name under which a vendor may know the person; asked before it is forgotten."""
    found: set[tuple[str, str]] = set()
    for table in (DELIVERY, PUSHED, REMEMBERED):
        query = select(table.c.connection_id, table.c.source_id).where(table.c.source_id.in_(sorted(source_ids)))
        found.update((row[0], row[1]) for row in database.execute(query.distinct()))
    return found


def _tell_destinations(
    hub: Installation,
    database: Database,
    gone: Erased,
    left: operate.ErasedDeliveries,
    known: set[tuple[str, str]],
    request_id: str,
    now: Micros,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Erase deliveries for every connection whose connector can erase; the names of those connections, and their ids.

    One for the survivor, and one for each source_id merged into it that the vendor may know: there they are two people.
    Of an anonymous id no vendor was told.
    """
    able = [each for each in registry.every(database, hub.vault, "destination") if _can_erase(hub, each)]
    deliveries = []
    for connection in able:
        for source_id in gone.source_ids:
            is_only_merged = source_id != gone.survivor or is_anonymous(source_id)
            if is_only_merged and (connection.id, source_id) not in known:
                continue
            remembered = left.remembered.get(connection.id, {}).get(source_id, {})
            deliveries.append(
                NewDelivery(
                    id=new_id(now // 1000),
                    connection_id=connection.id,
                    operation=Operation.ERASE,
                    source_id=operate.erased_source_id(hub.vault.digest(source_id)),
                    at=now,
                    record=operate.sealed_erasure(hub.vault, source_id, gone.identifiers, remembered, request_id),
                    mapping_hash=connection.mapping_hash,
                )
            )
    store.insert(database, deliveries, now)
    return tuple(connection.name for connection in able), tuple(one.id for one in deliveries)


def _can_erase(hub: Installation, connection: Connection) -> bool:
    found = hub.connectors.get(connection.connector)
    return bool(found and found.destination_class and Operation.ERASE in found.destination_class.Options)
