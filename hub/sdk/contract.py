"""The connector contract: what a source and a destination are.

A connector turns values into requests and responses into outcomes. It never does I/O, sleeps, retries, logs, reads a
clock or remembers anything: the hub does. The common case is small: Settings, hosts, auth, one Route and `request`.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any, ClassVar, final

from pydantic import BaseModel, SecretStr

from hub.sdk.broker import Broker, Subscription
from hub.sdk.errors import (
    AuthFailed,
    DeliveryError,
    InboundError,
    Permanent,
    RateLimited,
    Retryable,
    Split,
)
from hub.sdk.values import (
    Accepted,
    AnyPush,
    Auth,
    Batch,
    Erasure,
    Finding,
    InboundRequest,
    Item,
    Json,
    Operation,
    Outcome,
    Pool,
    Publish,
    RawMessage,
    Received,
    Record,
    Rejected,
    Reply,
    Report,
    Request,
    Response,
    Route,
    Secret,
    Waiting,
    Wanted,
)

Flow = Generator[Request | Sequence[Publish] | Sequence[Report], Any, Any]
"""What a flow yields, and is sent back: a Request its Response, messages for a broker one Published or DeliveryError
each, reports None."""


class NoSettings(BaseModel):
    """Nothing to set."""


class Connector:
    """What sources and destinations share. Instances are built from their Settings."""

    name: ClassVar[str]
    title: ClassVar[str]
    docs_url: ClassVar[str] = ""
    Settings: ClassVar[type[BaseModel]] = NoSettings

    def __init__(self, settings: Any) -> None:
        self.settings = settings


class Destination(Connector):
    """A platform that receives profiles, events and messages."""

    Options: ClassVar[Mapping[Operation, type[BaseModel]]]
    """Per distribution or sync, by operation; its keys are the operations this destination has."""

    targets: ClassVar[Mapping[Operation, Json]] = {}
    """JSON Schema of the mapped fields the vendor accepts, by operation; `hub mappings check` uses it."""

    containers: ClassVar[frozenset[str]] = frozenset()
    """Targets the vendor merges key by key; the hub's delta looks inside them."""

    def hosts(self) -> Mapping[str, str]:
        """Name to base URL. Requests name a host; a connection may redirect one with `--set hosts.<name>=URL`."""
        raise NotImplementedError(f"{type(self).__name__} must say which hosts it speaks to")

    def auth(self) -> Mapping[str, Auth]:
        """Credentials by host name."""
        return {}

    def broker(self) -> Broker | None:
        """The cluster to publish to, for a destination whose flows yield `Publish`; it names one of `hosts`."""
        return None

    def account(self) -> str:
        """Connections with the same account share limits. Default: this connection alone."""
        return ""

    def pools(self) -> Mapping[str, Pool]:
        """Rate windows and parallelism, by name."""
        return {}

    def routes(self) -> Mapping[str, Route]:
        """Endpoints with their batch limits, by name."""
        raise NotImplementedError(f"{type(self).__name__} must declare its routes")

    def items(self, push: AnyPush) -> Sequence[Item] | Rejected:
        """The vendor elements of one delivery, or its refusal before anything is sent.

        Default: one item on the route named like the operation, made of the mapped fields.
        """
        return [Item(push.delivery_id, push.operation, dict(push.fields))]

    def request(self, batch: Batch) -> Request:
        """The one call that carries this batch. Same batch, same bytes."""
        raise NotImplementedError(f"{type(self).__name__} must build a request or override flow")

    def outcomes(self, batch: Batch, response: Response) -> Sequence[Outcome]:
        """One outcome per record of a call that `classify` let pass. Default: all accepted."""
        return [Accepted(record.delivery_id) for record in batch.records]

    def classify(self, request: Request, response: Response) -> DeliveryError | None:
        """Whether the whole call failed; asked first for every answer, 2xx included. Default: by status."""
        return by_status(response)

    def flow(self, batch: Batch) -> Flow:
        """The calls of this batch. Override where a vendor needs several."""
        response = yield self.request(batch)
        yield self.outcomes(batch, response)

    def poll(self, token: str, waiting: Sequence[Waiting]) -> Flow:
        """Ask after a job that was accepted for later; reports an outcome, or Pending again, per waiting record."""
        raise NotImplementedError(f"{type(self).__name__} reports Pending and must say how to poll")
        yield  # makes this a generator, as every override is

    def check(self) -> Flow:
        """Are these credentials good? Returns findings; "unknown" is an allowed one."""
        return [Finding("unknown", "This connector has no harmless call that tells whether its credentials are good.")]
        yield

    def prepare(self, wanted: Wanted) -> Flow:
        """Create what must exist before anything is sent: fields, event types, lists. Returns findings; what only the
        vendor's dashboard can make is a finding that says so. Safe to repeat."""
        return []
        yield


class Source(Connector):
    """A customer data platform that sends webhooks, or writes records to topics."""

    def subscription(self) -> Subscription | None:
        """The topics to read, for a source that is read; its records come to `receive_record`."""
        return None

    def receive_record(self, record: Record) -> Sequence[RawMessage]:
        """Decode one record; each message needs a `dedup_key` that the same record always gets. Raises PayloadInvalid,
        and then the record ends in quarantine as it is."""
        raise NotImplementedError(f"{type(self).__name__} has a subscription and must decode its records")

    def receive(self, request: InboundRequest) -> Received:
        """Verify and decode. Raises SignatureInvalid, Forbidden, PayloadInvalid or TooLarge."""
        raise NotImplementedError(f"{type(self).__name__} must decode what its vendor sends")

    def answer(self, request: InboundRequest, erasure: Erasure) -> Reply:
        """The answer to a question about a request to erase; needed where `receive` returns a question.

        Raises PayloadInvalid, such as for a withdrawal that comes too late.
        """
        raise NotImplementedError(f"{type(self).__name__} asks after requests to erase and must say what comes of it")

    def callback(self, erasure: Erasure, url: str) -> Request:
        """The call that tells `url` where a request to erase stands; needed where `receive` names callbacks.

        It is sent to `url` as that is: a host and path in it do not count.
        """
        raise NotImplementedError(f"{type(self).__name__} names callbacks and must say what they are told")

    def refuse(self, request: InboundRequest, error: InboundError) -> Reply:
        """The answer to a refused request, in the vendor's own error shape where it has one."""
        return Reply(error.status, {"code": error.status, "key": error.key, "message": str(error)})


@final
class Status:
    """What each HTTP status means unless a connector knows better (house rules, section 5)."""

    RETRYABLE = frozenset({408, 423})
    AUTH = frozenset({401, 403})
    PERMANENT_5XX = frozenset({501})
    UNKNOWN_AFTER_SENDING = frozenset({502, 504})


def by_status(response: Response) -> DeliveryError | None:
    """The default classification of an answer; None for success."""
    status = response.status
    if status < 300:
        return None
    words = f"The vendor answered {status}."
    if status == 429:
        return RateLimited(f"{words} It asked to slow down.", until=retry_after(response), response=response)
    if status in Status.AUTH:
        return AuthFailed(f"{words} It refused the credentials or their permissions.", response=response)
    if status == 413:
        return Split(f"{words} The batch is too large.", response=response)
    if status in Status.RETRYABLE or (status >= 500 and status not in Status.PERMANENT_5XX):
        unknown = status in Status.UNKNOWN_AFTER_SENDING
        return Retryable(f"{words} It is tried again later.", response=response, unknown=unknown)
    return Permanent(f"{words} It will not take this call as it is.", response=response)


def secret(value: SecretStr) -> Secret:
    """A setting's secret, as requests carry it."""
    return Secret(value.get_secret_value())


def retry_after(response: Response) -> Any:
    """The time `Retry-After` names (seconds or an HTTP date), as an aware datetime, or None."""
    from datetime import UTC, datetime, timedelta
    from email.utils import parsedate_to_datetime

    text = response.headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        return response.received_at + timedelta(seconds=max(0.0, min(float(text), 86_400.0)))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    return when if when.tzinfo else datetime.combine(when.date(), when.time(), UTC)
