"""Setting up connections: what CLI and API both do when someone adds a source or a destination."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import BaseModel
from sqlalchemy import Connection as Database
from sqlalchemy import select

from hub.admin.hub_settings import own_settings, split
from hub.admin.mapping_choice import OWN, Choice, chosen_hash
from hub.admin.names import usable_name
from hub.core.clock import Micros, iso
from hub.core.ids import new_token
from hub.distributions import store as distributions
from hub.distributions import syncs
from hub.ledger.store import record_audit
from hub.outbox.engine.lane import AUTH, AUTH_AGAIN
from hub.outbox.queue import operate
from hub.outbox.tables import DELIVERY
from hub.registry import store
from hub.registry.discovery import build, secret_fields
from hub.registry.values import Connection
from hub.runtime.process.installation import Installation
from hub.sdk.broker import is_broker_address
from hub.sdk.contract import Destination, Source
from hub.sdk.declared import redirected
from hub.sdk.errors import ConfigurationError
from hub.sdk.json import dumps, loads_storable

HOSTS = "hosts."
PAUSED = "paused by an operator"
STRUCTURES = frozenset({list, dict, tuple, set, frozenset, Mapping, Sequence})


def add_source(
    hub: Installation,
    database: Database,
    now: Micros,
    connector: str,
    name: str,
    given: Mapping[str, str],
    actor: str,
    mapping: Choice = OWN,
) -> Connection:
    """A new source. Secrets that its connector declares as generated are made here if none was given.

    Raises ConfigurationError naming each setting that does not fit, or what is wrong with the mapping.
    """
    kind = _kind(hub, connector, "source")
    generated = {field: new_token() for field in _generated(kind.Settings) if field not in given}
    return _add(hub, database, now, "source", connector, name, {**generated, **given}, actor, mapping)


def add_destination(
    hub: Installation,
    database: Database,
    now: Micros,
    connector: str,
    name: str,
    given: Mapping[str, str],
    actor: str,
    mapping: Choice = OWN,
) -> Connection:
    """A new destination. `hosts.<name>` redirects one of its hosts. Raises ConfigurationError as above."""
    return _add(hub, database, now, "destination", connector, name, given, actor, mapping)


def change_settings(
    hub: Installation, database: Database, now: Micros, connection: Connection, given: Mapping[str, str], actor: str
) -> Connection:
    """Change some settings, secrets or hosts of a connection; an empty value takes one away.

    Rotating a secret keeps the old one under `previous_<name>` where the connector declares such a setting. Raises
    ConfigurationError, and then nothing has changed.
    """
    kind = _kind(hub, connection.connector, connection.role)
    connection = store.get(database, hub.vault, connection.id)  # as it is in this transaction
    changed = sorted(given)
    given, own = split(connection.role, given)
    fields = kind.Settings.model_fields
    rotated = {
        f"previous_{name}": connection.secrets[name]
        for name in given
        if name in connection.secrets
        and given[name] != connection.secrets[name]
        and f"previous_{name}" in fields
        and f"previous_{name}" not in given
    }
    plain, hosts = _split_hosts(given)
    wanted = {**connection.settings, **connection.secrets, **rotated, **plain}
    settings, secrets = _split(kind.Settings, {key: value for key, value in wanted.items() if value != ""})
    hosts = {name: url for name, url in {**connection.hosts, **hosts}.items() if url}
    _check_hosts(build(kind, settings, secrets), hosts)
    store.update(
        database,
        connection.id,
        now,
        settings=dumps(settings).decode(),
        secrets=hub.vault.seal(dumps(secrets).decode()),
        hosts=dumps(hosts).decode(),
        **own,
    )
    detail = {"id": connection.id, "changed": changed}
    record_audit(database, now, actor, f"{connection.role}.changed", connection.name, detail)
    return store.get(database, hub.vault, connection.id)


def pause(database: Database, now: Micros, connection: Connection, reason: str, actor: str) -> None:
    """Stop a connection: senders to a source are told to retry, what waits for a destination goes on waiting."""
    store.pause(database, connection.id, reason or PAUSED, now)
    detail = {"id": connection.id, "reason": reason or PAUSED}
    record_audit(database, now, actor, f"{connection.role}.paused", connection.name, detail)


def resume(database: Database, now: Micros, connection: Connection, actor: str) -> None:
    """Take up a connection, and its paused routes, again."""
    store.resume(database, connection.id, now)
    record_audit(database, now, actor, f"{connection.role}.resumed", connection.name, {"id": connection.id})


def is_paused_for_credentials(connection: Connection) -> bool:
    """Whether refused credentials paused it, or some of its routes: once they are good again it may go on."""
    return connection.paused_reason.startswith((AUTH, AUTH_AGAIN)) or bool(connection.paused_routes)


def remove(database: Database, now: Micros, connection: Connection, actor: str) -> int:
    """Take a connection away; how many deliveries that waited for it are skipped now. The ledger keeps what it did.

    Raises ConfigurationError while a distribution goes through it, or calls are under way.
    """
    users = distributions.using(database, connection.id)
    if users:
        raise ConfigurationError(
            f"{connection.name!r} is used by the distribution {users[0]!r}; remove that, or send it elsewhere, first."
        )
    for sync in syncs.for_connection(database, connection.id):
        syncs.remove(database, connection.id, sync.operation)
    under_way = (DELIVERY.c.connection_id == connection.id) & (DELIVERY.c.state == "sending")
    if database.scalar(select(DELIVERY.c.id).where(under_way).limit(1)):
        raise ConfigurationError(
            f"Calls of {connection.name!r} are under way; pause it, wait until they have ended, then remove it."
        )
    abandoned = operate.abandon(database, connection.id, now)
    store.remove(database, connection.id)
    detail = {"id": connection.id, "deliveries_skipped": abandoned}
    record_audit(database, now, actor, f"{connection.role}.removed", connection.name, detail)
    return abandoned


def describe(hub: Installation, connection: Connection) -> dict[str, Any]:
    """A connection as CLI and API show it: settings in the clear, of secrets only their names."""
    shown: dict[str, Any] = {
        "id": connection.id,
        "name": connection.name,
        "connector": connection.connector,
        "status": connection.status,
        "paused_reason": connection.paused_reason or None,
        "settings": dict(connection.settings),
        **own_settings(connection),
        "secrets": sorted(connection.secrets),
        "mapping": connection.mapping,
        "mapping_patch": connection.mapping_patch or None,
        "mapping_hash": connection.mapping_hash or None,
    }
    if connection.role == "source":
        until = iso(connection.previous_until) if connection.previous_until else None
        return shown | {"previous_secrets_until": until, "webhook_url": webhook_url(hub, connection)}
    return shown | {"hosts": dict(connection.hosts), "paused_routes": dict(connection.paused_routes)}


def reveal_once(hub: Installation, connection: Connection) -> dict[str, Any]:
    """What `sources add` answers, once: the webhook URL and the secrets to enter at the vendor."""
    secrets = dict(connection.secrets)
    found = hub.connectors[connection.connector]
    made = _generated(found.source_class.Settings) if found.source_class else []
    first = next((secrets[field] for field in made if field.endswith("secret") and field in secrets), None)
    return {**describe(hub, connection), "secret": first, "write_key": None, **secrets, "secrets": sorted(secrets)}


def each_once(shown: Mapping[str, Any]) -> dict[str, Any]:
    """The same for people: `secret` stands under its own name already, and a key that there is not is left out."""
    others = [value for name, value in shown.items() if name != "secret"]
    repeated = {"secret"} if shown["secret"] is None or shown["secret"] in others else set()
    missing = {"write_key"} if shown["write_key"] is None else set()
    return {name: value for name, value in shown.items() if name not in repeated | missing}


def webhook_url(hub: Installation, connection: Connection) -> str:
    return f"{hub.settings.origin}/in/{connection.source_key}"


def _kind(hub: Installation, connector: str, role: str) -> type[Source] | type[Destination]:
    """The connector's class for a role. Raises ConfigurationError if it cannot be used."""
    found = hub.connectors.get(connector)
    if found is None:
        raise ConfigurationError(f"There is no connector {connector!r}; there are {', '.join(sorted(hub.connectors))}.")
    if found.error:
        raise ConfigurationError(f"The connector {connector!r} could not be loaded: {found.error}")
    kind = found.source_class if role == "source" else found.destination_class
    if kind is None:
        raise ConfigurationError(f"The connector {connector!r} is not a {role}; `hub connectors list` shows which are.")
    return kind


def _add(
    hub: Installation,
    database: Database,
    now: Micros,
    role: str,
    connector: str,
    name: str,
    given: Mapping[str, str],
    actor: str,
    mapping: Choice,
) -> Connection:
    kind = _kind(hub, connector, role)
    given, own = split(role, given)
    plain, hosts = _split_hosts(given)
    settings, secrets = _split(kind.Settings, plain)
    _check_hosts(build(kind, settings, secrets), hosts)
    connection = store.add(
        database,
        hub.vault,
        now,
        role=role,
        connector=connector,
        name=usable_name(name, role),
        settings=settings,
        secrets=secrets,
        hosts=hosts,
        mapping=mapping.name,
        mapping_patch=mapping.patch.strip(),
        mapping_hash=chosen_hash(hub, database, now, role, connector, mapping),
        **own,
    )
    record_audit(database, now, actor, f"{role}.added", name, {"connector": connector, "id": connection.id})
    return connection


def _split_hosts(given: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Settings, and redirected hosts by name."""
    hosts = {key.removeprefix(HOSTS): value.strip() for key, value in given.items() if key.startswith(HOSTS)}
    return {key: value for key, value in given.items() if not key.startswith(HOSTS)}, hosts


def _check_hosts(connector: Source | Destination, hosts: Mapping[str, str]) -> None:
    if not hosts:
        return
    if not isinstance(connector, Destination):
        raise ConfigurationError(f"{connector.title} is a source and calls no hosts, so there is none to redirect.")
    redirected(connector, hosts)
    broker = connector.broker()
    for name, url in hosts.items():
        if not _is_origin(url) and not (broker is not None and name == broker.host and is_broker_address(url)):
            raise ConfigurationError(
                f"The host {name!r} is sent to by a URL such as https://sandbox.example.com, without user, query or"
                " fragment; this is none."
            )


def _is_origin(url: str) -> bool:
    """Whether a URL can stand in front of a path. One with a password would be shown wherever hosts are shown."""
    try:
        parts = urlsplit(url)
        is_complete = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return is_complete and "@" not in parts.netloc and not parts.query and not parts.fragment


def _generated(settings: type[BaseModel]) -> list[str]:
    extras = {name: field.json_schema_extra for name, field in settings.model_fields.items()}
    return [name for name, extra in extras.items() if isinstance(extra, dict) and extra.get("generate")]


def _split(settings: type[BaseModel], given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings in the clear, and secrets."""
    hidden = secret_fields(settings)
    read = {key: _structured(settings, key, value) for key, value in given.items()}
    return (
        {key: value for key, value in read.items() if key not in hidden},
        {key: value for key, value in read.items() if key in hidden},
    )


def _structured(settings: type[BaseModel], name: str, value: Any) -> Any:
    """A setting that takes a list or an object, given as JSON text, as such; every other as it is."""
    field = settings.model_fields.get(name)
    if field is None or not isinstance(value, str) or not _takes_structure(field.annotation):
        return value
    try:
        read = loads_storable(value)
    except ValueError:
        return value
    return read if isinstance(read, list | dict) else value


def _takes_structure(annotation: Any) -> bool:
    return (get_origin(annotation) or annotation) in STRUCTURES or any(map(_takes_structure, get_args(annotation)))
