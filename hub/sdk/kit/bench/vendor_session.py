"""The little of the hub's sender that flows can see: answers kept for a while, and tokens fetched for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hub.sdk.contract import Destination, by_status
from hub.sdk.errors import DeliveryError, Unreadable
from hub.sdk.flow import Classify, Send
from hub.sdk.values import Auth, Basic, Bearer, ClientCredentials, Request, Response, Secret
from hub.sdk.wire import Wire, encode


@dataclass
class KeptAnswers:
    """Successful answers of requests with `cache_for_s`, by key, until their time is over or a call forgets them."""

    answers: dict[str, tuple[datetime, Response]] = field(default_factory=dict)

    def through(self, send: Send, classify: Classify, clock: Callable[[], datetime]) -> Send:
        """`send`, but a request whose answer is kept makes no call."""

        def sent(request: Request) -> Response:
            key = _key(request)
            until, kept = self.answers.get(key, (None, None))
            if request.cache_for_s is not None and until is not None and kept is not None and clock() < until:
                return kept
            try:
                answer = send(request)
            finally:
                for stale in request.forget:  # whatever became of the call: the vendor may have acted
                    self.answers.pop(stale, None)
            if request.cache_for_s is not None and classify(request, answer) is None:
                self.answers[key] = (clock() + timedelta(seconds=request.cache_for_s), answer)
            return answer

        return sent

    def clear(self) -> None:
        """Begin anew, as another process would."""
        self.answers.clear()


def _key(request: Request) -> str:
    return request.cache_key or repr(
        (request.method, request.host, request.path, request.query, request.json, request.form, request.body)
    )


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
