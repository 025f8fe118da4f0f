"""Questions to a Kafka cluster, and why there is no answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from hub.core.kafka import REFUSED, Complaints
from hub.inbox.queue import Unreachable
from hub.sdk.errors import ConfigurationError

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

LOOK_S: Final = 3.0  # for an answer of the cluster
AGAIN_S: Final = 0.1

T = TypeVar("T")


class Admin:
    """Asks one cluster. Safe to share between threads; connects with its first use.

    `config` is for librdkafka and may raise ConfigurationError; `whose` begins the sentences, such as "The inbox's".
    Every question raises that, and Unreachable with what the client complained of meanwhile.
    """

    def __init__(self, config: Callable[[], Mapping[str, Any]], whose: str) -> None:
        self._config, self._whose = config, whose
        self._complaints = Complaints()
        self._client: AdminClient | None = None

    def topics(self) -> Mapping[str, Any]:
        """Metadata by name. All topics are asked for: asking for one may make it."""
        found: Mapping[str, Any] = self.ask(lambda client: client.list_topics(timeout=LOOK_S)).topics
        self._complaints.calm()
        return found

    def offsets(
        self, topic: str, partitions: Collection[int], which: Literal["earliest", "latest"], timeout_s: float = LOOK_S
    ) -> dict[int, int]:
        """By partition, the first offset that can still be read, or the one that the next record gets."""
        from confluent_kafka import TopicPartition, admin

        kinds: Any = admin  # its types are not told
        spec = getattr(kinds.OffsetSpec, which)()
        places = {TopicPartition(topic, one): spec for one in partitions}
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                found = self.ask(lambda client: client.list_offsets(places, request_timeout=timeout_s / 2))
                offsets = {place.partition: self._offset(one) for place, one in found.items()}
            except Unreachable:  # a partition may be between two leaders
                if time.monotonic() >= deadline:
                    raise
                time.sleep(AGAIN_S)
                with suppress(Unreachable):
                    self.topics()  # else the client goes on asking the old one
            else:
                self._complaints.calm()
                return offsets

    def ask(self, question: Callable[[AdminClient], T]) -> T:
        from confluent_kafka import KafkaException

        client = self._open()
        try:
            return question(client)
        except KafkaException as error:
            raise self._unreachable(error) from error

    def result(self, future: Future[Any]) -> Any:
        """What came of a question that is answered later."""
        from confluent_kafka import KafkaException

        try:
            return future.result(LOOK_S * 2)
        except (KafkaException, TimeoutError) as error:
            raise self._unreachable(error) from error

    def _offset(self, future: Future[Any]) -> int:
        """A leader that did not answer in time is not an error to the client, which then gives a negative offset."""
        offset = int(self.result(future).offset)
        if offset < 0:
            raise Unreachable(f"{self._whose} Kafka cluster does not answer (a partition's leader is silent).")
        return offset

    def another(self) -> AdminClient:
        """A client with a line of its own, for a question that may spoil it."""
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        config: dict[str, Any] = {**self._config(), "error_cb": self._complaints.heard}
        try:
            return AdminClient(config)
        except KafkaException as error:
            words = f"{self._whose} Kafka settings are not usable: {error.args[0].str()}."
            raise ConfigurationError(words) from None  # the cause would show the settings

    def _open(self) -> AdminClient:
        if self._client is None:
            self._client = self.another()
        return self._client

    def _unreachable(self, error: BaseException) -> Unreachable:
        self._open().poll(0)  # lets the client say what it noticed meanwhile
        name, words = self._complaints.behind(error.args[0]) if error.args else ("", type(error).__name__)
        does = "refuses the hub" if name in REFUSED else "does not answer"
        return Unreachable(f"{self._whose} Kafka cluster {does} ({words}).")
