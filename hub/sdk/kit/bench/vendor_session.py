"""The little of the hub's sender that flows can see: tokens fetched for their calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hub.sdk.contract import Destination, by_status
from hub.sdk.errors import DeliveryError, Unreadable
from hub.sdk.values import Auth, Basic, Bearer, ClientCredentials, Request, Response, Secret
from hub.sdk.wire import Wire, encode


@dataclass
class Tokens:
    """Bearer tokens in place of client credentials: fetched with the first call, and once more after a 401."""

    destination: Destination
    hosts: Mapping[str, str]
    transport: Callable[[Wire], Response]
    tokens: dict[str, Secret] = field(default_factory=dict)

    def send(self, request: Request) -> Response:
        """The answer to the request. Raises DeliveryError if no token can be had."""
        credentials = self.destination.auth().get(request.host)
        if not isinstance(credentials, ClientCredentials):
            return self.transport(encode(request, self.hosts, self.destination.auth()))
        answer = self._with_token(request, credentials)
        if answer.status == 401:
            self.tokens.pop(request.host, None)
            answer = self._with_token(request, credentials)
        return answer

    def _with_token(self, request: Request, credentials: ClientCredentials) -> Response:
        if request.host not in self.tokens:
            self.tokens[request.host] = self._fetched(credentials)
        return self.transport(encode(request, self.hosts, {request.host: Bearer(self.tokens[request.host])}))

    def _fetched(self, credentials: ClientCredentials) -> Secret:
        form = {"grant_type": "client_credentials", **credentials.form}
        asked = Request("POST", credentials.path, host=credentials.host, form=form)
        client = Basic(credentials.client_id, credentials.client_secret)
        answer = self.transport(encode(asked, self.hosts, {credentials.host: client}))
        error: DeliveryError | None = by_status(answer)
        if error is not None:
            raise error
        told = answer.json()
        token = told.get("access_token") if isinstance(told, dict) else None
        if not isinstance(token, str) or not token:
            raise Unreadable("The answer of the token endpoint holds no access_token.", response=answer)
        return Secret(token)


def with_any_token(auth: Mapping[str, Auth]) -> dict[str, Auth]:
    """The credentials with a made-up token where one would be fetched: for comparing what would be sent."""
    return {
        host: Bearer(Secret("a-token")) if isinstance(one, ClientCredentials) else one for host, one in auth.items()
    }
