"""The port of a hub: bound by one process before anything else starts, and never shared with another hub."""

from __future__ import annotations

import errno
import socket
import time
from typing import Any

from hub.core.holders import port_holder
from hub.sdk.errors import ConfigurationError

BACKLOG = 1024
PATIENCE_S = 2.0  # a web role whose supervisor was killed lets go within a second
PAUSE_S = 0.05


def listen(host: str, port: int) -> socket.socket:
    """A listening socket that nobody else can bind as well. Raises ConfigurationError, a sentence, if it cannot be had."""
    family, address = _resolved(host, port)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            # Lets a restart bind at once; without SO_REUSEPORT it lets nobody share. Of several processes that have bound
            # the port, `listen` admits one at most: where two meet in it, both may fail, and one of them succeeds later.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
            return listener
        except OSError as error:
            listener.close()
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise ConfigurationError(refusal(host, port, error)) from error
        time.sleep(PAUSE_S)


def refusal(host: str, port: int, error: OSError, *, host_from: str = "HUB_HOST", port_from: str = "HUB_PORT") -> str:
    """The sentence for a port that cannot be listened on. `host_from` and `port_from` say where they were set."""
    if isinstance(error, socket.gaierror):
        return f"{host_from} {host!r} cannot be resolved to an address; correct it."
    if error.errno == errno.EADDRINUSE:
        holder = port_holder(port) or "another process"
        return f"Port {port} of {host} is taken by {holder}; stop that, or choose another port with {port_from}."
    if error.errno == errno.EACCES:
        return f"Port {port} of {host} needs privileges that this process has not; choose one from 1024 on with {port_from}."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host_from} {host!r} is not an address of this machine; 127.0.0.1 is this machine alone, 0.0.0.0 every network."
    return f"Port {port} of {host} cannot be listened on: {error.strerror or type(error).__name__}."


def _resolved(host: str, port: int) -> tuple[int, Any]:
    """Family and address of a host name; IPv4 where a name has both, as senders on this machine expect it."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(refusal(host, port, socket.gaierror(str(error)))) from error
    family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    return family, address
