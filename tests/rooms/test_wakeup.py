"""Processes that wake each other: over pipes beside SQLite, over PostgreSQL's notifications."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import pytest
from sqlalchemy import Engine, text

from hub.core import wakeup
from hub.core.database import read, write
from hub.core.wakeup import DELIVERIES, FOLDER, MESSAGES, Sleeper, listening, wake, wake_after_commit, when_set
from tests.harness import ROOT, eventually

SILENCE_S = 0.05  # longer than any notification takes

OTHER_PROCESS = """
import sys, threading
from hub.core import wakeup
from hub.core.database import open_database, write
engine = open_database(sys.argv[1])
{body}
"""


class Heard:
    """What a listener was woken for, in order."""

    def __init__(self) -> None:
        self._topics: SimpleQueue[str] = SimpleQueue()

    def acts(self, *topics: str) -> dict[str, Callable[[], None]]:
        return {topic: lambda topic=topic: self._topics.put(topic) for topic in topics}  # type: ignore[misc]

    def next(self) -> str:
        return self._topics.get(timeout=10)

    def nothing_more(self) -> bool:
        try:
            self._topics.get(timeout=SILENCE_S)
        except Empty:
            return True
        return False


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def other_process(kept_engine: Engine) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Runs a few lines in another process of the same installation; they print when they are ready."""
    started: list[subprocess.Popen[str]] = []

    def run(body: str) -> subprocess.Popen[str]:
        url = kept_engine.url.render_as_string(hide_password=False)
        command = [sys.executable, "-c", OTHER_PROCESS.format(body=body), url]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def test_a_commit_in_another_process_wakes_who_waits_for_its_topic_and_nobody_else(
    kept_engine: Engine, heard: Heard, other_process: Any
) -> None:
    with listening(kept_engine, heard.acts(MESSAGES, DELIVERIES)):
        other_process(
            "wakeup.wake(engine, wakeup.ERASURES)\n"
            "with write(engine) as connection: wakeup.wake_after_commit(connection, wakeup.DELIVERIES)\n"
            "wakeup.wake(engine, wakeup.MESSAGES)"
        ).wait()
        assert {heard.next(), heard.next()} == {DELIVERIES, MESSAGES}
        assert heard.nothing_more()


def test_all_who_wait_for_a_topic_are_woken(kept_engine: Engine) -> None:
    first, second = Heard(), Heard()
    with listening(kept_engine, first.acts(MESSAGES)), listening(kept_engine, second.acts(MESSAGES)):
        wake(kept_engine, MESSAGES)
        assert (first.next(), second.next()) == (MESSAGES, MESSAGES)


def test_who_is_woken_sees_what_was_committed_and_a_rollback_wakes_nobody(kept_engine: Engine, heard: Heard) -> None:
    with listening(kept_engine, heard.acts(MESSAGES)):
        with pytest.raises(ZeroDivisionError), write(kept_engine) as connection:
            _ = wake_after_commit(connection, MESSAGES), 1 // 0
        assert heard.nothing_more()
        with write(kept_engine) as connection:
            connection.execute(text("CREATE TABLE IF NOT EXISTS work (id INT)"))
            connection.execute(text("INSERT INTO work VALUES (1)"))
            wake_after_commit(connection, MESSAGES)
            assert heard.nothing_more(), "nobody is woken for what is not committed"
        heard.next()
        with read(kept_engine) as connection:
            assert connection.scalar(text("SELECT count(*) FROM work")) == 1
        with write(kept_engine) as connection:
            connection.execute(text("DROP TABLE work"))


def test_a_thousand_notifications_while_a_listener_is_busy_wake_it_a_few_times(kept_engine: Engine) -> None:
    calls: list[int] = []
    sent, may_go_on = [0], threading.Event()

    def act() -> None:
        calls.append(sent[0])
        may_go_on.wait(10)

    with listening(kept_engine, {MESSAGES: act}):
        for count in range(1, 1_001):
            sent[0] = count
            wake(kept_engine, MESSAGES)
        may_go_on.set()
        eventually(lambda: calls[-1:] == [1_000], what="a call after the last notification")
    assert len(calls) <= 10


def test_a_sender_goes_on_when_a_listener_was_killed_and_others_still_hear(
    kept_engine: Engine, heard: Heard, other_process: Any
) -> None:
    doomed = other_process(
        "with wakeup.listening(engine, {wakeup.MESSAGES: lambda: None}): print('ready', flush=True); threading.Event().wait()"
    )
    assert doomed.stdout.readline() == "ready\n"
    doomed.kill()
    doomed.wait()
    with listening(kept_engine, heard.acts(MESSAGES)):
        wake(kept_engine, MESSAGES)
        assert heard.next() == MESSAGES
        if kept_engine.dialect.name == "sqlite":
            assert len(list(_pipes(kept_engine))) == 1, "the pipe of the killed process is taken away"


def test_a_notification_lost_with_its_sender_costs_seconds_and_nothing_else(
    kept_engine: Engine, heard: Heard, other_process: Any
) -> None:
    doomed = other_process(
        "import os, signal\n"
        "wakeup.send_noted = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "with write(engine) as connection:\n"
        "    connection.exec_driver_sql('CREATE TABLE lost_work (id INT)')\n"
        "    wakeup.wake_after_commit(connection, wakeup.MESSAGES)\n"
    )
    stop, sleeper, looks = threading.Event(), Sleeper(), []
    with listening(kept_engine, heard.acts(MESSAGES) | {MESSAGES: sleeper.wake}):
        assert doomed.wait() == -signal.SIGKILL
        sleeper.sleep(stop, at_most_s=SILENCE_S)
        with write(kept_engine) as connection:
            looks.append(connection.scalar(text("SELECT count(*) FROM lost_work")))
            connection.execute(text("DROP TABLE lost_work"))
    assert looks == [0], "the work was committed, and the loop's own look found it"


def test_a_process_that_forks_goes_on_hearing_and_its_child_takes_nothing_away(
    kept_engine: Engine, heard: Heard
) -> None:
    with listening(kept_engine, heard.acts(MESSAGES)):
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        wake(kept_engine, MESSAGES)
        assert heard.next() == MESSAGES


def test_a_forked_child_can_notify_and_listen_itself(kept_engine: Engine, heard: Heard) -> None:
    kept_engine.dispose()
    with listening(kept_engine, heard.acts(MESSAGES)):
        child = os.fork()
        if child == 0:
            kept_engine.dispose(close=False)
            own = Heard()
            with listening(kept_engine, own.acts(DELIVERIES)):
                wake(kept_engine, MESSAGES)
                wake(kept_engine, DELIVERIES)
                os._exit(0 if own.next() == DELIVERIES else 1)
        assert heard.next() == MESSAGES
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_listener_that_was_cut_off_listens_again_and_calls_all_its_acts(
    kept_engine: Engine, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakeup, "CHECK_S", 0.02)
    monkeypatch.setattr(wakeup, "AGAIN_S", 0.02)
    with listening(kept_engine, heard.acts(MESSAGES, DELIVERIES)):
        _cut_off(kept_engine)
        assert {heard.next(), heard.next()} == {MESSAGES, DELIVERIES}, "something may have been missed"
        wake(kept_engine, MESSAGES)
        assert heard.next() == MESSAGES


def test_a_listener_leaves_nothing_behind(kept_engine: Engine, heard: Heard) -> None:
    with listening(kept_engine, heard.acts(MESSAGES)):
        pass
    if kept_engine.dialect.name == "sqlite":
        assert list(_pipes(kept_engine)) == []
    assert not [thread for thread in threading.enumerate() if thread.name == "wakeup"]


def test_without_anybody_to_wake_or_a_place_for_pipes_work_goes_on(
    kept_engine: Engine, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakeup, "_Pipes", _impossible)
    monkeypatch.setattr(wakeup, "_Channels", _impossible)
    with listening(kept_engine, heard.acts(MESSAGES)):
        with write(kept_engine) as connection:
            wake_after_commit(connection, MESSAGES)
        assert heard.nothing_more()


def test_a_sleeper_ends_its_rest_when_it_is_woken_or_is_to_stop() -> None:
    sleeper, stop = Sleeper(), threading.Event()
    when_set(stop, sleeper.wake)
    sleeper.wake()
    sleeper.sleep(stop, at_most_s=60)  # woken before it slept
    threading.Timer(0.02, sleeper.wake).start()
    sleeper.sleep(stop, at_most_s=60)
    threading.Timer(0.02, stop.set).start()
    sleeper.sleep(stop, at_most_s=60)
    sleeper.sleep(stop, at_most_s=60, at_least_s=60)  # it has stopped


def test_a_sleeper_rests_at_least_as_long_as_it_is_told_so_that_work_gathers() -> None:
    sleeper, began = Sleeper(), time.monotonic()
    sleeper.wake()
    sleeper.sleep(threading.Event(), at_most_s=60, at_least_s=0.02)
    assert time.monotonic() - began >= 0.02


def _impossible(*_: Any) -> Any:
    raise PermissionError("no pipes here")


def _pipes(engine: Engine) -> Iterator[Path]:
    return (Path(engine.url.database or "").parent / FOLDER).glob("*/*")


def _cut_off(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        for pipe in _pipes(engine):
            pipe.unlink()
        return
    others = "query LIKE 'LISTEN%' AND datname = current_database()"
    with engine.connect() as connection:
        connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))
