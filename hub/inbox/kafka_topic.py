"""The inbox topic: made if it is missing, looked at, truncated. Everything that is neither writing nor reading."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from hub.core.kafka import REFUSED, client_config
from hub.core.settings import Settings
from hub.inbox.kafka_admin import LOOK_S, Admin
from hub.inbox.queue import Unreachable
from hub.sdk.broker import PLAIN, TLS, Broker
from hub.sdk.errors import ConfigurationError
from hub.sdk.values import Basic, Secret

PARTITIONS_S: Final = 30.0  # how long the number of partitions is believed
LEAST_REPLICAS: Final = 2
SEGMENT_MS: Final = 3_600_000  # what is truncated leaves the brokers' disks once its segment is an hour old
SETTINGS: Final[Mapping[str, str]] = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "min.insync.replicas": str(LEAST_REPLICAS),
    "unclean.leader.election.enable": "false",
    "segment.ms": str(SEGMENT_MS),
}
"""Of a topic that the hub makes. Only the hub deletes from it, and only what was applied."""
UNTOLD: Final = REFUSED | {"_UNSUPPORTED_FEATURE", "UNSUPPORTED_VERSION"}
"""Where brokers do not tell a topic's settings, now or later."""


def connect_config(settings: Settings) -> dict[str, Any]:
    """What every client of the inbox's brokers is configured with. Raises ConfigurationError."""
    _refuse_halves(settings)
    url = (TLS if settings.kafka_tls else PLAIN) + settings.kafka_bootstrap.replace(" ", "")
    key = _pem(settings.kafka_certificate_key, "HUB_KAFKA_CERTIFICATE_KEY")
    broker = Broker(
        "inbox",
        mechanism=settings.kafka_mechanism,
        ca=_pem(settings.kafka_ca, "HUB_KAFKA_CA"),
        certificate=_pem(settings.kafka_certificate, "HUB_KAFKA_CERTIFICATE"),
        key=Secret(key) if key else None,
    )
    password = settings.kafka_password.get_secret_value()
    options = dict(_option(text) for text in settings.kafka_options.split(",") if text.strip())
    return options | client_config(url, broker, Basic(Secret(settings.kafka_user), Secret(password)))


def _refuse_halves(settings: Settings) -> None:
    """A setting that would silently do nothing leaves a connection open or unencrypted that was meant not to be."""
    password = settings.kafka_password.get_secret_value()
    if bool(settings.kafka_mechanism) != bool(settings.kafka_user and password):
        raise ConfigurationError(
            "HUB_KAFKA_MECHANISM, HUB_KAFKA_USER and HUB_KAFKA_PASSWORD belong together; set all or none."
        )
    if not settings.kafka_tls and (settings.kafka_ca or settings.kafka_certificate):
        raise ConfigurationError("HUB_KAFKA_CA and HUB_KAFKA_CERTIFICATE need HUB_KAFKA_TLS; switch it on.")


def _option(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ConfigurationError(f"HUB_KAFKA_OPTIONS holds {text.strip()!r}; write name=value, separated by commas.")
    return name.strip(), value.strip()


def _pem(path: str, name: str) -> str:
    try:
        return Path(path).expanduser().read_text() if path else ""
    except OSError as error:
        raise ConfigurationError(f"{name} names {path}, which cannot be read: {error.strerror}.") from error


class Topic:
    """The topic as this process knows it. Safe to share between threads; connects with its first use."""

    def __init__(self, settings: Settings) -> None:
        self.name = settings.kafka_topic
        self._settings = settings
        self._admin = Admin(lambda: connect_config(settings), "The inbox's")
        self._lock = threading.Lock()
        self._partitions = 0
        self._counted_at = 0.0

    def partitions(self) -> int:
        """How many there are. The first time the topic is made if it is missing, and refused if it is unsafe.

        Raises Unreachable and ConfigurationError.
        """
        with self._lock:
            if not self._partitions or time.monotonic() - self._counted_at > PARTITIONS_S:
                is_new = not self._partitions
                self._partitions = self._count() or self._make()
                self._counted_at = time.monotonic()
                if is_new:
                    self._refuse_unsafe()
            return self._partitions

    def ends(self, timeout_s: float = LOOK_S) -> dict[int, int]:
        """By partition, the offset that the next record gets. Raises Unreachable."""
        return self._admin.offsets(self.name, range(self.partitions()), "latest", timeout_s)

    def beginnings(self) -> dict[int, int]:
        """By partition, the first offset that can still be read. Raises Unreachable."""
        return self._admin.offsets(self.name, range(self.partitions()), "earliest")

    def truncate(self, before: Mapping[int, int]) -> int:
        """Delete the records before these offsets; how many went. Raises Unreachable, also where brokers cannot."""
        from confluent_kafka import TopicPartition

        begin = self.beginnings()
        wanted = [
            TopicPartition(self.name, one, offset) for one, offset in before.items() if offset > begin.get(one, 0)
        ]
        if not wanted:
            return 0
        apart = self._admin.another()  # brokers that do not know this request hang up; others would wait for the line
        done = self._admin.ask(lambda _: apart.delete_records(wanted, request_timeout=LOOK_S, operation_timeout=LOOK_S))
        results = {place.partition: self._admin.result(one) for place, one in done.items()}
        return sum(one.low_watermark - begin.get(partition, 0) for partition, one in results.items())

    def replication(self) -> tuple[int, dict[str, str]]:
        """The least number of replicas a partition has, and the topic's settings; empty where they may not be read.

        Raises Unreachable: a topic of which nothing is known now must not pass for a safe one.
        """
        from confluent_kafka import KafkaException, admin

        kinds: Any = admin  # its types are not told
        found = self._admin.topics().get(self.name)
        if found is None:
            raise Unreachable(f"The inbox topic {self.name} is not known to every broker yet; try again in a moment.")
        replicas = min(len(one.replicas) for one in found.partitions.values())
        wanted = [kinds.ConfigResource(kinds.ResourceType.TOPIC, self.name)]
        asked = self._admin.ask(lambda admin: admin.describe_configs(wanted, request_timeout=LOOK_S))
        try:
            told = [self._admin.result(one) for one in asked.values()]
        except Unreachable as error:
            why = error.__cause__
            if isinstance(why, KafkaException) and why.args[0].name() in UNTOLD:
                return replicas, {}
            raise
        return replicas, {name: str(entry.value) for one in told for name, entry in one.items()}

    def _count(self) -> int:
        found = self._admin.topics().get(self.name)
        return 0 if found is None or found.error is not None else len(found.partitions)

    # ── making ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _make(self) -> int:
        from confluent_kafka import KafkaException, admin

        kinds: Any = admin  # its types are not told
        wanted = self._settings
        largest = {"max.message.bytes": str(wanted.kafka_message_bytes)}
        config = {**SETTINGS, **largest, "min.insync.replicas": str(min(LEAST_REPLICAS, wanted.kafka_replication))}
        new = kinds.NewTopic(self.name, wanted.kafka_partitions, wanted.kafka_replication, config=config)
        try:
            self._admin.ask(lambda admin: admin.create_topics([new], request_timeout=LOOK_S))[self.name].result(
                LOOK_S * 2
            )
        except KafkaException as error:
            if error.args[0].name() != "TOPIC_ALREADY_EXISTS":
                raise ConfigurationError(
                    f"The inbox topic {self.name} is missing and cannot be made ({error.args[0].str()}). Make it "
                    f"yourself as docs/kafka.md says, or let the hub, with at least {wanted.kafka_replication} brokers."
                ) from error
        made = self._count()
        if not made:  # its metadata is on its way
            raise Unreachable(f"The inbox topic {self.name} is being made; try again in a moment.")
        return made

    def _refuse_unsafe(self) -> None:
        if self._settings.kafka_allow_unsafe:
            return
        count, self._partitions = self._partitions, 0  # looked at again the next time, unless all is well
        wrong = unsafe(*self.replication())
        if wrong:
            raise ConfigurationError(f"The inbox topic {self.name} is not safe: {' '.join(wrong)}")
        self._partitions = count


def unsafe(replicas: int, config: Mapping[str, str]) -> list[str]:
    """Why an acknowledged record could be lost with one machine; empty if it could not. Sentences."""
    wrong = []
    if replicas < LEAST_REPLICAS:
        wrong.append(f"A partition has {replicas} replica, so one machine's loss loses accepted messages; give it 3.")
    least = config.get("min.insync.replicas")
    if least is not None and int(least) < LEAST_REPLICAS:
        wrong.append(f"min.insync.replicas is {least}, so one machine alone may acknowledge a message; set it to 2.")
    if config.get("unclean.leader.election.enable", "false") != "false":
        wrong.append("unclean.leader.election.enable is on, so a replica that lags may take over; turn it off.")
    if "compact" in config.get("cleanup.policy", "delete"):
        wrong.append("cleanup.policy compacts, which deletes messages that wait; set it to delete.")
    return wrong
