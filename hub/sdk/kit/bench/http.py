"""A small sender for the contract suite: real HTTP, one call at a time, no retries, no pacing, no waiting.

The hub's own sender lives in its outbox; this one lets a connector be tried without the hub.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import requests

from hub.sdk.contract import Destination
from hub.sdk.errors import Retryable
from hub.sdk.kit.bench.vendor_session import Tokens
from hub.sdk.kit.simulator.base import SimRequest, Simulator
from hub.sdk.kit.simulator.server import split_target
from hub.sdk.values import Request, Response
from hub.sdk.wire import Wire

PREVIEW_HOST = "http://preview.invalid"


class Sender:
    """Sends a destination's requests to `hosts` (name to base URL) and remembers which requests it sent."""

    def __init__(
        self,
        destination: Destination,
        hosts: Mapping[str, str],
        clock: Callable[[], datetime],
        timeout_s: float = 10.0,
    ) -> None:
        self.tokens = Tokens(destination, hosts, self._transport)
        self.clock = clock
        self.timeout_s = timeout_s
        self.sent: list[Request] = []
        self.session = requests.Session()
        self.session.trust_env = False  # no proxy and no .netrc of this machine may change what is sent

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def __call__(self, request: Request) -> Response:
        """Raises Retryable where no answer came: unknown after sending, known not to have arrived before."""
        self.sent.append(request)
        return self.tokens.send(request)

    def _transport(self, wire: Wire) -> Response:
        try:
            answer = self.session.request(
                wire.method,
                wire.url,
                headers=dict(wire.headers),
                data=wire.body,
                timeout=self.timeout_s,
                allow_redirects=False,
            )
        except requests.ConnectTimeout as error:
            raise Retryable("The vendor could not be reached.") from error
        except requests.RequestException as error:
            raise Retryable("The vendor gave no answer; whether it acted is unknown.", unknown=True) from error
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Response(answer.status_code, headers, answer.content, self.clock())


def without_network(
    destination: Destination, simulator: Simulator, clock: Callable[[], datetime]
) -> Callable[[Request], Response]:
    """A `send` that asks the simulator directly, for previews: no sockets, the same bytes."""
    hosts = {name: f"{PREVIEW_HOST}/@{name}" for name in destination.hosts()}

    def transport(wire: Wire) -> Response:
        host, path, query = split_target(wire.url.removeprefix(PREVIEW_HOST))
        asked = SimRequest(wire.method, path, query, wire.headers, wire.body or b"", host)
        answer, fault = simulator.take(asked)
        if fault is not None and fault.silence is not None:
            raise Retryable("The vendor gave no answer; whether it acted is unknown.", unknown=True)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Response(answer.status, {"content-type": answer.content_type(), **headers}, answer.content(), clock())

    return Tokens(destination, hosts, transport).send
