"""Refuses to connect to addresses inside the operator's network.

The address is resolved once, checked, and that very address is connected to: a name that resolves to a public address
first and to a private one later gains nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util import connection as connecting

from hub.sdk.errors import ConfigurationError

_NAT64 = "64:ff9b::"


class PrivateAddress(ConfigurationError):
    """The host resolves to a private address; set HUB_ALLOW_PRIVATE_HOSTS=1 if that is meant."""


def is_public(text: str) -> bool:
    """Whether an address is one of the public internet."""
    address: IPv4Address | IPv6Address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or _nat64(address)
        if inner is not None:
            address = inner
    return address.is_global and not address.is_multicast


def _nat64(address: IPv6Address) -> IPv4Address | None:
    prefix = int(IPv6Address(_NAT64))
    return IPv4Address(int(address) & 0xFFFF_FFFF) if int(address) >> 32 == prefix >> 32 else None


def guard_servers(servers: Iterable[tuple[str, int]], who: str) -> None:
    """For clients that open their own sockets. Raises PrivateAddress if a server has a private address.

    A name that cannot be resolved is left to the client; one that changes its address afterwards is not noticed.
    """
    for host, port in servers:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError):
            continue
        for address in [str(one[4][0]) for one in found]:
            if not is_public(address):
                raise PrivateAddress(
                    f"{who} {host!r}, which has the private address {address}; "
                    "set HUB_ALLOW_PRIVATE_HOSTS=1 if it is meant, or correct the connection's host."
                )


def _connect(connection: HTTPConnection) -> socket.socket:
    """What urllib3's own does, with a look at each address before it is used."""
    host = connection.host.strip("[]")
    try:
        found = socket.getaddrinfo(host, connection.port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        wrapped = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
        raise NameResolutionError(host, connection, wrapped) from error
    addresses = [str(one[4][0]) for one in found]
    for address in addresses:
        if not is_public(address):
            raise PrivateAddress(
                f"The host {host!r} resolves to the private address {address}; "
                "set HUB_ALLOW_PRIVATE_HOSTS=1 if it is meant, or correct the connection's host."
            )
    failure: OSError | None = None
    for address in addresses:
        try:
            return connecting.create_connection(
                (address, connection.port), connection.timeout, socket_options=connection.socket_options
            )
        except TimeoutError as error:
            raise ConnectTimeoutError(connection, f"no connection to {host} in time") from error
        except OSError as error:
            failure = error
    raise NewConnectionError(connection, f"no connection to {host}: {failure}") from failure


class _GuardedHTTP(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self)


class _GuardedHTTPS(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self)


class _GuardedPool(HTTPConnectionPool):
    ConnectionCls = _GuardedHTTP


class _GuardedTLSPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedHTTPS


class GuardedAdapter(HTTPAdapter):
    """An adapter for `requests` whose connections go to public addresses only."""

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _GuardedPool, "https": _GuardedTLSPool}
