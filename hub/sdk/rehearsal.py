"""Publishing to a sandbox: a connection whose broker is redirected to an http address sends its messages there as JSON.

PUBLISH /customers   [{"topic": "customers", "key": "cust_1", "headers": {…}, "value": {…}}]
200                  {"results": [{"partition": 0, "offset": 17}, {"status": 413, "message": "too large"}]}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hub.sdk.broker import request_of
from hub.sdk.contract import by_status
from hub.sdk.errors import DeliveryError, Unreadable
from hub.sdk.flow import Broker as Publishing
from hub.sdk.flow import Send
from hub.sdk.json import dumps
from hub.sdk.values import Publish, Published, Response


def over_http(host: str, send: Send) -> Publishing:
    """What publishes by way of `send`: one call for all messages, one result for each."""

    def publish(messages: Sequence[Publish]) -> Sequence[Published | DeliveryError]:
        response = send(request_of(messages, host))
        error = by_status(response)
        if error is not None:
            raise error
        told = response.json()
        results = told.get("results") if isinstance(told, dict) else None
        if not isinstance(results, list) or len(results) != len(messages):
            raise Unreadable("The answer holds no result for each message.", response=response, unknown=True)
        return [_answer(one, response) for one in results]

    return publish


def _answer(result: Mapping[str, Any], response: Response) -> Published | DeliveryError:
    body = dumps(result.get("message", ""))
    error = by_status(Response(result.get("status", 200), {}, body, response.received_at))
    return error or Published(result.get("partition", 0), result.get("offset", 0))
