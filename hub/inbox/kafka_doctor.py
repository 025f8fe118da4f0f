"""Whether the inbox topic keeps what the hub promises: sentences for `hub doctor`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from sqlalchemy import Engine

from hub.core.database import read
from hub.core.settings import Settings
from hub.inbox import kafka_positions as positions
from hub.inbox.kafka_record import HEAD_BYTES
from hub.inbox.kafka_topic import Topic, unsafe
from hub.inbox.queue import Unreachable
from hub.sdk.errors import ConfigurationError

Found = tuple[Literal["ok", "warning", "error"], str]
FOREVER: Final = "-1"


def examine(settings: Settings, state: Engine) -> Iterator[Found]:
    """What is good and bad about the topic, which is made if it is missing."""
    topic = Topic(settings)
    if settings.kafka_mechanism == "PLAIN" and not settings.kafka_tls:
        yield "warning", "HUB_KAFKA_MECHANISM is PLAIN without HUB_KAFKA_TLS: the password is sent in the clear."
    try:
        count = topic.partitions()
        replicas, config = topic.replication()
        yield "ok", f"The inbox topic {topic.name} answers; it has {count} partitions with {replicas} replica(s)."
        yield from _safety(settings, replicas, config)
        yield from _settings(settings, config)
        yield from _places(topic, state)
    except (Unreachable, ConfigurationError) as error:
        yield "error", str(error)


def _safety(settings: Settings, replicas: int, config: Mapping[str, str]) -> Iterator[Found]:
    for sentence in unsafe(replicas, config):
        if settings.kafka_allow_unsafe:
            yield "warning", f"{sentence} HUB_KAFKA_ALLOW_UNSAFE lets that pass."
        else:
            yield "error", sentence
    if "min.insync.replicas" not in config:
        yield "warning", "The brokers do not tell the topic's settings; see to it that min.insync.replicas is 2."


def _settings(settings: Settings, config: Mapping[str, str]) -> Iterator[Found]:
    for name in ("retention.ms", "retention.bytes"):
        kept = config.get(name, FOREVER)
        if kept != FOREVER:
            text = (
                f"The topic's {name} is {kept}: messages that wait longer are deleted unapplied; set it to {FOREVER}."
            )
            yield "warning", text
    largest = int(config.get("max.message.bytes", settings.kafka_message_bytes))
    if largest < settings.kafka_message_bytes:
        text = f"The topic's max.message.bytes is {largest}, less than HUB_KAFKA_MESSAGE_BYTES; make them equal."
        yield "error", text
    if settings.kafka_message_bytes < settings.inflated_limit + HEAD_BYTES:
        text = "HUB_KAFKA_MESSAGE_BYTES is less than HUB_INFLATED_LIMIT: a single message near that limit gets 413."
        yield "warning", text


def _places(topic: Topic, state: Engine) -> Iterator[Found]:
    with read(state) as connection:
        known = positions.stored(connection, topic.name)
    begins, ends = topic.beginnings(), topic.ends()
    if any(ends.get(one, 0) < offset for one, offset in known.items()):
        yield (
            "error",
            "The topic ends before what was applied of it: it was made anew. Name another in HUB_KAFKA_TOPIC.",
        )
        return
    gone = sum(max(0, begin - known.get(one, 0)) for one, begin in begins.items())
    if gone:
        yield "error", f"{gone} messages were deleted from the topic before they were applied; they count as ignored."
    waiting = sum(end - known.get(one, 0) for one, end in ends.items())
    kept = sum(max(0, offset - begins.get(one, 0)) for one, offset in known.items())
    yield "ok", f"{waiting} messages wait in it, and {kept} applied ones are not deleted yet."
