"""The secrets of a source: changed with an overlap, so that no webhook is lost, and shown to whoever enters them elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection as Database

from hub.admin.connections import change_settings
from hub.core.clock import Micros
from hub.core.ids import new_token
from hub.ledger.store import record_audit
from hub.registry import store
from hub.registry.discovery import secret_fields
from hub.registry.values import PREVIOUS, Connection
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError

SCHEMES = ("Bearer ", "Basic ", "whsec_")
"""What may stand in front of a secret's random part, and stays when that is made anew."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """A secret that was made anew. `until`: how long its predecessor is taken too; None where it no longer is."""

    secret: str
    value: str
    until: Micros | None


def rotate(
    hub: Installation,
    database: Database,
    now: Micros,
    source: Connection,
    actor: str,
    *,
    secret: str | None = None,
    keep: Micros,
) -> Rotated:
    """Make a secret anew; for `keep` its predecessor is taken beside it. Raises ConfigurationError."""
    name = _chosen(hub, source, secret)
    old = source.secrets[name]
    scheme = next((one for one in SCHEMES if old.startswith(one)), "")
    given = {name: scheme + new_token()} | ({} if keep else {f"{PREVIOUS}{name}": ""})
    changed = change_settings(hub, database, now, source, given, actor)
    until = now + keep if keep else None
    store.update(database, source.id, now, previous_until=until)
    record_audit(database, now, actor, "source.secret_rotated", source.name, {"id": source.id, "secret": name})
    return Rotated(name, changed.secrets[name], until)


def reveal(database: Database, now: Micros, source: Connection, actor: str) -> dict[str, Any]:
    """The secrets of a source in the clear, those that are taken still from before a rotation too. It is audited."""
    names = sorted(source.secrets)
    record_audit(database, now, actor, "source.revealed", source.name, {"id": source.id, "secrets": names})
    return {name: source.secrets[name] for name in names}


def _chosen(hub: Installation, source: Connection, asked: str | None) -> str:
    """The secret to make anew: the one that was asked for, else the first that the connector declares and this has."""
    found = hub.connectors.get(source.connector)
    if found is None or found.source_class is None:
        raise ConfigurationError(f"The connector {source.connector!r} cannot be used here; see `hub doctor`.")
    fields = found.source_class.Settings.model_fields
    able = [one for one in fields if one in secret_fields(found.source_class.Settings) and f"{PREVIOUS}{one}" in fields]
    ours = [one for one in able if source.secrets.get(one)]
    if asked is not None and asked not in ours:
        has = ", ".join(ours) or "none"
        raise ConfigurationError(f"{source.name!r} has no secret {asked!r} that can be rotated; it has {has}.")
    if not ours:
        raise ConfigurationError(
            f"{source.name!r} has no secret that can be rotated; `hub sources set {source.name} --set` sets one of"
            f" {', '.join(able) or 'its own'}."
        )
    return asked or ours[0]
