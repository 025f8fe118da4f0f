"""How a vendor is reached and what it allows: credentials, rate windows, routes. Declared by connectors, kept by the hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from hub.sdk.words import EMPTY, Operation, Secret


@dataclass(frozen=True, slots=True)
class Bearer:
    token: Secret


@dataclass(frozen=True, slots=True)
class Basic:
    user: Secret
    password: Secret


@dataclass(frozen=True, slots=True)
class Header:
    """A header made of a fixed prefix and a secret, such as `Authorization: Acme-API-Key <key>`."""

    name: str
    secret: Secret
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """OAuth 2 client credentials: the hub fetches a bearer token, keeps it until it ends, and once more after a 401.

    `host` and `path` name the token endpoint, `form` what is posted beside `grant_type=client_credentials`; the client's
    id and secret go as HTTP Basic.
    """

    client_id: Secret
    client_secret: Secret
    path: str
    host: str
    form: Mapping[str, str] = EMPTY


Auth = Bearer | Basic | Header | ClientCredentials


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` units in any `per_s` seconds. `burst` is how many may go at once (default: count)."""

    count: int
    per_s: float
    unit: Literal["call", "item", "profile"] = "call"
    burst: int | None = None


@dataclass(frozen=True, slots=True)
class Pool:
    """A budget that routes draw on. `source` is the vendor page that states it.

    `scope`: whom the vendor counts by: a connection, an account, or the sending address, which all connections of a
    connector share.
    """

    rates: Sequence[Rate] = ()
    parallel: int | None = None
    scope: Literal["connection", "account", "address"] = "account"
    source: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint of a vendor: what fits into a call, which pools it draws on, whether it may be repeated.

    `repeat`: *safe* (the same call twice changes nothing more), *deduplicated* (the vendor drops a repeated
    delivery_id, inside `repeat_window_s` if given) or *duplicates* (a repeat is a second effect).
    `bulk_of`/`bulk_from`: this route serves another route's items once at least `bulk_from` of them wait.
    `after`: operations of the same profile that must be accepted first.
    """

    source: str
    pools: Sequence[str] = ()
    items: int = 1
    bytes: int | None = None
    item_bytes: int | None = None
    items_per_profile: int | None = None
    bulk_of: str | None = None
    bulk_from: int = 1
    repeat: Literal["safe", "deduplicated", "duplicates"] = "duplicates"
    repeat_window_s: float | None = None
    after: Sequence[Operation] = ()
    timeout_s: float = 30.0
