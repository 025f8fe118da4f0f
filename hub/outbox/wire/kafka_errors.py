"""What a broker's error means, by its name in the Kafka protocol or in librdkafka (there with a leading underscore).

Names and meanings: https://kafka.apache.org/protocol#protocol_error_codes and librdkafka's `rdkafka.h` (read 2026-11).
"""

from __future__ import annotations

from typing import Final

from hub.core.kafka import REFUSED
from hub.sdk.errors import AuthFailed, DeliveryError, Permanent, Retryable, Split

TOO_LARGE: Final = frozenset({"INVALID_MSG_SIZE", "MSG_SIZE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"})
NO_TOPIC: Final = frozenset({"_UNKNOWN_PARTITION", "_UNKNOWN_TOPIC", "UNKNOWN_TOPIC_ID", "UNKNOWN_TOPIC_OR_PART"})
FINAL: Final = frozenset(
    [
        "_BAD_COMPRESSION",
        "_INVALID_ARG",
        "INVALID_RECORD",
        "INVALID_REQUIRED_ACKS",
        "INVALID_TIMESTAMP",
        "POLICY_VIOLATION",
        "TOPIC_EXCEPTION",
        "UNSUPPORTED_COMPRESSION_TYPE",
        "UNSUPPORTED_FOR_MESSAGE_FORMAT",
    ]
)
NEVER_TAKEN: Final = frozenset(
    [
        "_PURGE_QUEUE",
        "_QUEUE_FULL",
        "_RESOLVE",
        "_SSL",
        "BROKER_NOT_AVAILABLE",
        "LEADER_NOT_AVAILABLE",
        "NOT_ENOUGH_REPLICAS",
        "NOT_LEADER_FOR_PARTITION",
    ]
)
"""Errors after which the message is surely in no log."""


def failure(name: str, text: str, *, was_handed_over: bool) -> DeliveryError:
    """The error for one message, or for a look at the cluster (`was_handed_over=False`: nothing can have arrived)."""
    told = f"({name}: {text})"
    if name in REFUSED:
        return AuthFailed(f"The broker refused the credentials or their permissions {told}.")
    if name in TOO_LARGE:
        words = f"The message is larger than the broker or its topic takes {told}."
        return Split(words) if was_handed_over else Permanent(words)
    if name in NO_TOPIC:
        return Retryable(f"The topic does not exist {told}; create it, or correct its name. It is tried again later.")
    if name in FINAL:
        return Permanent(f"The broker will not take this message as it is {told}.")
    if was_handed_over and name not in NEVER_TAKEN:
        return Retryable(
            f"The broker did not acknowledge in time; whether it has the message is unknown {told}.", unknown=True
        )
    return Retryable(f"The broker could not be reached or could not take it now; nothing was stored {told}.")
