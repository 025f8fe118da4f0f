"""Several brokers with replicas, leaders and coordinators that tests move: the cluster that librdkafka brings for its own tests.

It speaks Kafka's protocol on ports of its own, in this process or in one that can be frozen; it has no request that makes
topics or tells settings.
https://github.com/confluentinc/librdkafka/blob/master/src/rdkafka_mock.h (read 2026-11).
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import confluent_kafka

from tests.harness import ROOT

PRODUCE, FETCH, OFFSETS, HEARTBEAT = 0, 1, 2, 12
NOT_LEADER, NOT_ENOUGH_REPLICAS, NOT_ENOUGH_REPLICAS_AFTER_APPEND = 6, 19, 20


class Cluster:
    """Brokers are numbered from 1. Records outlive the broker that took them, as if every replica were in sync."""

    def __init__(self, library: Any, cluster: Any) -> None:
        self._library, self._cluster = library, cluster
        self.servers: str = library.rd_kafka_mock_cluster_bootstraps(cluster).decode()

    def create(self, topic: str, partitions: int, replicas: int) -> str:
        self._asked("topic_create", topic.encode(), partitions, replicas)
        return topic

    def lead(self, topic: str, partition: int, broker: int) -> None:
        self._asked("partition_set_leader", topic.encode(), partition, broker)

    def coordinate(self, group: str, broker: int) -> None:
        self._asked("coordinator_set", b"group", group.encode(), broker)

    def stop(self, broker: int) -> None:
        self._asked("broker_set_down", broker)

    def start(self, broker: int) -> None:
        self._asked("broker_set_up", broker)

    def answer(self, request: int, error: int, times: int) -> None:
        """The next so many requests of a kind get this error."""
        errors = (ctypes.c_int * times)(*[error] * times)
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster, ctypes.c_int16(request), times, errors)

    def forgive(self, request: int) -> None:
        """No request of this kind gets an error any more."""
        self._library.rd_kafka_mock_clear_request_errors(self._cluster, ctypes.c_int16(request))

    def _asked(self, name: str, *arguments: object) -> None:
        error = getattr(self._library, f"rd_kafka_mock_{name}")(self._cluster, *arguments)
        assert error == 0, f"{name}{arguments} answered {error}"


@contextmanager
def cluster(brokers: int = 3) -> Iterator[Cluster]:
    library = _library()
    words = ctypes.create_string_buffer(512)
    config = ctypes.c_void_p(library.rd_kafka_conf_new())
    library.rd_kafka_conf_set(config, b"log_level", b"0", words, len(words))
    client = ctypes.c_void_p(library.rd_kafka_new(0, config, words, len(words)))
    assert client, words.value
    made = ctypes.c_void_p(library.rd_kafka_mock_cluster_new(client, brokers))
    library.rd_kafka_mock_group_initial_rebalance_delay_ms(made, 100)
    yield Cluster(library, made)
    library.rd_kafka_mock_cluster_destroy(made)
    library.rd_kafka_destroy(client)


def _library() -> Any:
    """The one that the Python client brings."""
    beside = Path(confluent_kafka.__file__).parent
    found = next(
        one
        for folder in (beside.parent / "confluent_kafka.libs", beside / ".dylibs")
        for one in sorted(folder.glob("librdkafka*"))
    )
    library = ctypes.CDLL(str(found))
    for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
        getattr(library, name).restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return library


class ClusterApart:
    """The same in another process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.servers = self._told()

    def tell(self, what: str, *arguments: object) -> None:
        """Do what the method of this name does there."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([what, *arguments]) + "\n")
        self.process.stdin.flush()
        assert self._told() == "done"

    def _told(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@contextmanager
def cluster_apart(brokers: int = 3) -> Iterator[ClusterApart]:
    command = [sys.executable, "-m", "tests.kafka_cluster", str(brokers)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield ClusterApart(process)
        finally:
            process.kill()


def _serve(brokers: int) -> None:
    with cluster(brokers) as made:
        print(made.servers, flush=True)
        for line in sys.stdin:
            what, *arguments = json.loads(line)
            getattr(made, what)(*arguments)
            print("done", flush=True)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
