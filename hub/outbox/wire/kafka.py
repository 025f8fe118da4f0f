"""The only place of the hub that publishes to brokers: one idempotent producer per connection, every message acknowledged.

The client library is imported when the first message is due: a hub that publishes nothing never loads it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from hub.core import clock
from hub.core.kafka import Complaints, client_config
from hub.outbox.wire.http import Exchange
from hub.outbox.wire.kafka_errors import failure
from hub.outbox.wire.masking import KEPT_BYTES, Mask
from hub.outbox.wire.private_hosts import guard_servers
from hub.sdk.broker import Broker, request_of, servers_of
from hub.sdk.errors import ConfigurationError, DeliveryError, Permanent, Retryable, Split
from hub.sdk.json import dumps
from hub.sdk.values import Auth, Basic, Publish, Published, Request, Response

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message, Producer

Answer = Published | DeliveryError
LOOK_S: Final = 10.0  # for a look at a cluster that is silent
TRY_S: Final = 1.0  # and at one that the client says is down
GRACE_S: Final = 5.0  # beyond a message's own time: its client reports every fate by then
POLL_S: Final = 0.05
SHOWN: Final = 50  # messages of a call that the ledger may show; its text is shorter still
NO_TOPIC_AFTER_MS: Final = 3_000  # how long a topic made a moment ago may stay unheard of


class Posting(Exchange):
    """Messages and their acknowledgements as the ledger shows them."""

    __slots__ = ("answers",)

    def __init__(self, request: Request, hosts: Mapping[str, str], auth: Mapping[str, Auth], mask: Mask) -> None:
        super().__init__(request, hosts, auth, mask)
        self.answers: Sequence[Answer] = ()

    def shown_response(self) -> str:
        lines = [
            f"partition {one.partition}, offset {one.offset}" if isinstance(one, Published) else str(one)
            for one in self.answers[:SHOWN]
        ]
        return self._mask("\n".join(lines) or self.failure)[:KEPT_BYTES]


class Publisher:
    """Publishes for one connection. Safe to share between threads."""

    def __init__(
        self, broker: Broker, hosts: Mapping[str, str], auth: Mapping[str, Auth], mask: Mask, *, allow_private: bool
    ) -> None:
        """Connects to nothing yet. Raises ConfigurationError for an address that is none."""
        self._broker, self._hosts, self._auth, self._mask = broker, hosts, auth, mask
        self._servers = servers_of(hosts[broker.host])
        self._allow_private = allow_private
        self._producer: Producer | None = None
        self._lock = threading.Lock()
        self._sound: Producer | None = None  # the one that the cluster answered, if nothing has failed since
        self._complaints = Complaints()

    def close(self) -> None:
        """Let the producer go; nothing is under way in it."""
        self._producer = None

    def exchange(self, request: Request) -> Exchange:
        """A place to note what this request and its answer were."""
        return Exchange(request, self._hosts, self._auth, self._mask)

    def posting(self, messages: Sequence[Publish]) -> Posting:
        """A place to note what became of these messages."""
        return Posting(request_of(messages[:SHOWN], self._broker.host), self._hosts, self._auth, self._mask)

    def send(self, request: Request, timeout_s: float) -> Response:
        """The cluster's metadata, for `GET /topics`. Raises AuthFailed, Retryable or ConfigurationError."""
        if (request.method, request.path) != ("GET", "/topics"):
            raise ConfigurationError(f"A broker has no {request.method} {request.path}; it has GET /topics.")
        _, found = self._look(min(timeout_s, LOOK_S))
        topics = {name: len(one.partitions) for name, one in sorted(found.topics.items()) if one.error is None}
        body = dumps({"brokers": len(found.brokers), "topics": topics})
        return Response(200, {}, body, clock.to_datetime(clock.now()))

    def publish(self, messages: Sequence[Publish]) -> Sequence[Answer]:
        """One acknowledgement or error for each message, in order, once the fate of all is known.

        Raises AuthFailed, Retryable or ConfigurationError where the cluster cannot be spoken to and nothing was sent.
        """
        producer = self._open()
        producer.poll(0)  # lets the client say what it noticed meanwhile
        is_down = self._complaints.is_down
        if is_down:
            self.close()  # a client that lost everybody comes back ever more slowly; a new one tries at once
        if is_down or producer is not self._sound:
            producer, _ = self._look(LOOK_S, messages[0].topic)
        acks = _Acks(len(messages))
        for place, message in enumerate(messages):
            _produce(producer, message, acks, place)
        deadline = time.monotonic() + self._broker.timeout_s + GRACE_S
        while acks.left and time.monotonic() < deadline:
            producer.poll(POLL_S)
        answers = acks.taken()
        if acks.is_fatal or any(isinstance(one, Retryable) and one.unknown for one in answers):
            self.close()  # after a gap in what it sent, a producer can promise nothing more; the next one begins anew
        elif any(isinstance(one, DeliveryError) and not isinstance(one, Permanent | Split) for one in answers):
            self._sound = None
        return answers

    # ── the client ──────────────────────────────────────────────────────────────────────────────────────────────

    def _look(self, timeout_s: float, topic: str | None = None) -> tuple[Producer, Any]:
        """A producer that the cluster answered, and its metadata; the addresses its brokers advertise are looked at."""
        from confluent_kafka import KafkaException

        producer = self._open()
        self._complaints.calm()
        deadline = time.monotonic() + timeout_s
        found = None
        while found is None:
            try:
                found = producer.list_topics(**({"topic": topic} if topic else {}), timeout=min(TRY_S, timeout_s))
            except KafkaException as error:
                producer.poll(0)  # lets it say what it complained of meanwhile
                if self._complaints.is_down or time.monotonic() >= deadline:
                    raise self._unreachable(error.args[0]) from error
        if not self._allow_private:
            guard_servers([(one.host, one.port) for one in found.brokers.values()], "A broker advertises")
        self._sound = producer
        return producer, found

    def _unreachable(self, error: KafkaError) -> DeliveryError:
        """The client says only that it got no answer; why is what it complained of in the background."""
        name, words = self._complaints.behind(error)
        self.close()  # a client that was refused once tries again ever more slowly; a new one tries at once
        return failure(name, words, was_handed_over=False)

    def _open(self) -> Producer:
        with self._lock:
            if self._producer is None:
                from confluent_kafka import KafkaException
                from confluent_kafka import Producer as NewProducer

                if not self._allow_private:
                    guard_servers(self._servers, "The connection names")
                try:
                    self._producer = NewProducer({**self._config(), "error_cb": self._complaints.heard})
                except KafkaException as error:
                    raise ConfigurationError(
                        f"The broker's settings are not usable: {self._mask(error.args[0].str())}."
                    ) from None  # the cause would show the settings
            return self._producer

    def _config(self) -> dict[str, Any]:
        broker = self._broker
        credentials = self._auth.get(broker.host)
        login = credentials if isinstance(credentials, Basic) else None
        return client_config(self._hosts[broker.host], broker, login) | {
            "acks": "all",
            "enable.idempotence": True,
            "compression.type": broker.compression,
            "message.max.bytes": broker.message_bytes,
            "message.timeout.ms": round(broker.timeout_s * 1_000),
            "socket.connection.setup.timeout.ms": round(LOOK_S * 1_000),
            "topic.metadata.propagation.max.ms": min(NO_TOPIC_AFTER_MS, round(broker.timeout_s * 500)),
        }


class _Acks:
    """The fates of the messages of one call, as the client reports them in whichever thread polls it."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.is_fatal = False
        self._answers: list[Answer | None] = [None] * count
        self._lock = threading.Lock()

    def put(self, place: int, answer: Answer) -> None:
        with self._lock:
            self._answers[place] = answer
            self.left -= 1

    def refused(self, place: int, error: KafkaError, *, was_handed_over: bool) -> None:
        self.is_fatal = self.is_fatal or error.fatal()
        self.put(place, failure(error.name(), error.str(), was_handed_over=was_handed_over))

    def taken(self) -> list[Answer]:
        silent = failure("_MSG_TIMED_OUT", "no word from the client", was_handed_over=True)
        return [silent if one is None else one for one in self._answers]


def _produce(producer: Producer, message: Publish, acks: _Acks, place: int) -> None:
    from confluent_kafka import KafkaException

    def delivered(error: KafkaError | None, taken: Message) -> None:
        if error is not None:
            acks.refused(place, error, was_handed_over=True)
        else:
            acks.put(place, Published(taken.partition() or 0, taken.offset() or 0))

    headers: dict[str, str | bytes | None] = {**message.headers}
    try:
        producer.produce(message.topic, message.value, message.key, headers=headers, on_delivery=delivered)
    except KafkaException as error:
        acks.refused(place, error.args[0], was_handed_over=False)
    except BufferError:
        acks.put(place, failure("_QUEUE_FULL", "too many messages wait", was_handed_over=False))
