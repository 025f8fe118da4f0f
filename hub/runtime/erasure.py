"""Erasing a person everywhere, in one transaction: each room forgets its part, destinations are told by delivery."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection as Database
from sqlalchemy import select

from hub.campaigns import store as campaigns
from hub.core.clock import Micros
from hub.core.ids import new_id
from hub.distributions import occasions
from hub.distributions import store as distributions
from hub.inbox import retention as inbox_rows
from hub.inbox.queue import Unreachable
from hub.inbox.sql import open_inbox
from hub.ledger.store import record_audit
from hub.mapping.anonymous import is_anonymous
from hub.mapping.model import Erase
from hub.outbox import operate, store
from hub.outbox.tables import DELIVERY, PUSHED, REMEMBERED
from hub.outbox.values import NewDelivery
from hub.profiles import erasure, reading
from hub.profiles.values import Erased
from hub.registry import store as registry
from hub.registry.values import Connection
from hub.runtime.installation import Installation
from hub.sdk.values import Operation


def erase_person(
    hub: Installation, database: Database, source_id: str, now: Micros, actor: str, request_id: str = ""
) -> dict[str, Any]:
    """Erase whoever is known by this source_id, with everyone merged with them; what was done, without naming them.

    Nobody being known by it is no error: the tombstone keeps late messages out all the same.
    """
    request_id = request_id or new_id(now // 1000)
    gone = erasure.erase(database, source_id, now, hub.vault.digest)
    names = {one: hub.vault.digest(one) for one in gone.source_ids}
    messages = inbox_rows.erase(database, gone.source_ids)
    known = _known_to(database, gone.source_ids)
    left = operate.erase(database, names, now)
    campaigns.erase(database, gone.source_ids)
    distributions.forget(database, gone.source_ids)
    occasions.erase(database, {one: operate.erased_source_id(name) for one, name in names.items()})
    told = _tell_destinations(hub, database, gone, left, known, request_id, now)
    done = {
        "request_id": request_id,
        "profiles": len(gone.source_ids),
        "messages": messages,
        "deliveries_skipped": left.skipped,
        "destinations": told,
    }
    record_audit(database, now, actor, "person.erased", names[source_id], done)
    return done


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


def erase_on_request(hub: Installation, database: Database, erase: Erase, now: Micros) -> None:
    """What an erasure message from a source asks: by source_id, else everyone known by its identities."""
    people = [erase.source_id] if erase.source_id else []
    for identity in erase.identities if not people else ():
        people.extend(reading.find(database, identity.type, identity.value))
    for source_id in sorted(set(people)):
        erase_person(hub, database, source_id, now, f"source:{erase.regulation or 'erase'}", erase.request_id)


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
) -> list[str]:
    """Erase deliveries for every connection whose connector can erase; the names of those connections.

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
                    connection_id=connection.id,
                    operation=Operation.ERASE,
                    source_id=operate.erased_source_id(hub.vault.digest(source_id)),
                    at=now,
                    record=operate.sealed_erasure(hub.vault, source_id, gone.identifiers, remembered, request_id),
                    mapping_hash=connection.mapping_hash,
                )
            )
    store.insert(database, deliveries, now)
    return [connection.name for connection in able]


def _can_erase(hub: Installation, connection: Connection) -> bool:
    found = hub.connectors.get(connection.connector)
    return bool(found and found.destination_class and Operation.ERASE in found.destination_class.Options)
