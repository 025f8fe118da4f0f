"""Ready-made data models: the schema, mapping, campaign and distribution of a trade, set up in one go and as often as
one likes.

Each is a handful of files in `mappings/industries`: NAME.yaml and NAME-<connector>.yaml extend a source's mapping,
NAME.schema.yaml holds the metadata schemas, NAME.example.yaml the campaign, the distribution and a day of traffic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection as Database

from hub.admin.connections import add_source
from hub.admin.distributions import add_distribution
from hub.admin.mapping_choice import change_mapping
from hub.admin.schemas import add_missing
from hub.campaigns import store as campaigns
from hub.core.clock import Micros
from hub.distributions import store as distributions
from hub.ledger.store import record_audit
from hub.mapping.language.document import load as load_document
from hub.mapping.versions.files import INDUSTRIES, names
from hub.mapping.versions.version import resolve
from hub.registry import store as registry
from hub.registry.discovery import example_settings
from hub.registry.values import Connection
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError
from hub.sdk.values import Operation

_SCHEMA, _EXAMPLE = ".schema.yaml", ".example.yaml"


@dataclass(frozen=True, slots=True)
class Industry:
    """What its files say. `source` and `destination` are the connectors of the example."""

    name: str
    title: str
    source: str
    destination: str
    campaign: Mapping[str, Any]
    distribution: Mapping[str, Any]
    people: Sequence[Mapping[str, Any]]
    schemas: Mapping[str, Any]


class SetUpStep(NamedTuple):
    """One thing that was done, or was there already."""

    what: str
    is_new: bool


@dataclass
class SetUp:
    """What came of setting up. `new_source` is a source made for it, whose secrets can be shown this once."""

    steps: list[SetUpStep] = field(default_factory=list)
    source: Connection | None = None
    new_source: Connection | None = None

    def did(self, what: str, *, is_new: bool = True) -> None:
        self.steps.append(SetUpStep(what, is_new))


def industry_names() -> list[str]:
    """Every industry there is."""
    return sorted(path.name.removesuffix(_SCHEMA) for path in _folder().glob(f"*{_SCHEMA}"))


def industry(name: str) -> Industry:
    """Raises ConfigurationError if there is none of this name."""
    if name not in industry_names():
        raise ConfigurationError(f"There is no industry {name!r}; there are {', '.join(industry_names())}.")
    return Industry(name=name, schemas=_read(name + _SCHEMA), **_read(name + _EXAMPLE))


def set_up(
    hub: Installation,
    database: Database,
    now: Micros,
    wanted: Industry,
    actor: str,
    *,
    source: str | None = None,
    destination: Connection | None = None,
    options: Mapping[str, Any] | None = None,
) -> SetUp:
    """Define the schema, point the source's mapping, add campaign and distribution; what is there already stays.

    `source` by name; else the only one there is that fits, or a new one. Without a `destination` there is no
    distribution yet. Raises ConfigurationError, and then nothing has changed.
    """
    done = SetUp()
    _schemas(database, now, wanted, actor, done)
    _source(hub, database, now, wanted, actor, source, done)
    _campaign(database, now, wanted, actor, done)
    if destination is not None:
        _distribution(hub, database, now, wanted, actor, destination, options, done)
    return done


def mapping_for(hub: Installation, wanted: Industry, connector: str) -> str | None:
    """The industry's mapping for what this source sends; None if it has none."""
    known = names(hub.folders)
    for name in (wanted.name, f"{wanted.name}-{connector}"):
        if name in known and resolve(name, "", hub.folders).connector == connector:
            return name
    return None


def _schemas(database: Database, now: Micros, wanted: Industry, actor: str, done: SetUp) -> None:
    added, kept = add_missing(database, now, wanted.schemas, actor)
    if added:
        done.did(f"metadata schema: added {', '.join(added)}")
    else:
        done.did("metadata schema: every key is defined already", is_new=False)
    if kept:
        done.did(f"metadata schema: {', '.join(kept)} stayed as they are defined here", is_new=False)


def _source(
    hub: Installation, database: Database, now: Micros, wanted: Industry, actor: str, name: str | None, done: SetUp
) -> None:
    found = _chosen_source(hub, database, wanted, name)
    if found is None:
        found = done.new_source = add_source(hub, database, now, wanted.source, wanted.name, {}, actor)
        done.did(f"source: added {found.name!r} ({found.connector})")
    mapping = mapping_for(hub, wanted, found.connector)
    if mapping is None:
        raise ConfigurationError(
            f"{wanted.name!r} has no mapping for {found.connector!r}, which {found.name!r} is; the schema alone is set"
            " with `hub schema set`."
        )
    if found.mapping == mapping:
        done.did(f"mapping: {found.name!r} follows {mapping!r} already", is_new=False)
    elif found.mapping != found.connector:
        done.did(
            f"mapping: {found.name!r} goes on following {found.mapping!r}; to change that: hub sources set"
            f" {found.name} --mapping {mapping}",
            is_new=False,
        )
    else:
        found = change_mapping(hub, database, now, found, actor, name=mapping)
        done.did(f"mapping: {found.name!r} follows {mapping!r}")
    done.source = found


def _chosen_source(hub: Installation, database: Database, wanted: Industry, name: str | None) -> Connection | None:
    """The source of this name, or the only one that fits; None if there is none yet."""
    if name is not None:
        found = registry.find(database, hub.vault, "source", name)
        if found is None:
            raise ConfigurationError(f"There is no source {name!r}; `hub sources list` shows those there are.")
        return found
    sources = [
        each
        for each in registry.every(database, hub.vault, "source")
        if mapping_for(hub, wanted, each.connector) is not None
    ]
    followers = [each for each in sources if each.mapping == mapping_for(hub, wanted, each.connector)]
    fitting = followers or sources
    if len(fitting) > 1:
        known = ", ".join(each.name for each in fitting)
        raise ConfigurationError(f"Several sources could be meant: {known}. Choose one with --source.")
    return fitting[0] if fitting else None


def _campaign(database: Database, now: Micros, wanted: Industry, actor: str, done: SetUp) -> None:
    name = wanted.campaign["name"]
    if campaigns.find(database, name) is not None:
        done.did(f"campaign: {name!r} is there already", is_new=False)
        return
    made = campaigns.add(database, now, **wanted.campaign)
    record_audit(database, now, actor, "campaign.added", name, {"id": made.id})
    done.did(f"campaign: added {name!r}, codes like {made.pattern}")


def _distribution(
    hub: Installation,
    database: Database,
    now: Micros,
    wanted: Industry,
    actor: str,
    destination: Connection,
    options: Mapping[str, Any] | None,
    done: SetUp,
) -> None:
    name = wanted.distribution["name"]
    if any(each.name == name for each in distributions.every(database)):
        done.did(f"distribution: {name!r} is there already", is_new=False)
        return
    target = {
        "connection": destination.name,
        "operation": Operation.MESSAGES.value,
        "options": {**message_options(hub, destination.connector), **(options or {})},
    }
    plan = {
        "trigger": {"kind": "manual"},
        "audience": {"all": True},
        **wanted.distribution,
        "campaign": wanted.campaign["name"],
        "targets": [target],
    }
    add_distribution(hub, database, now, plan, actor)
    done.did(f"distribution: added {name!r} through {destination.name!r}; it runs by hand")


def message_options(hub: Installation, connector: str) -> dict[str, Any]:
    """Examples of the options a message needs there. Raises ConfigurationError if it takes no messages."""
    found = hub.connectors.get(connector)
    kind = found.destination_class if found else None
    if kind is None or Operation.MESSAGES not in kind.Options:
        raise ConfigurationError(f"{connector!r} sends no messages; choose another destination with --destination.")
    return example_settings(kind.Options[Operation.MESSAGES])


def _folder() -> Path:
    return Path(str(resources.files("mappings"))) / INDUSTRIES


def _read(file: str) -> Any:
    path = _folder() / file
    return load_document(path.read_text(encoding="utf-8"), str(path)).plain()
