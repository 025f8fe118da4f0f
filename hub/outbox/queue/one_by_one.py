"""Storing what came back report by report, where a group of them fails on data.

The texts of a report are made storable before they come here, so this is the second line: whatever a row refuses all the
same costs its own words, and neither its neighbours nor the role.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from hub.core.clock import Micros
from hub.core.database import is_passing
from hub.core.logging import logger
from hub.outbox.queue.finish import Ending, Move, finish
from hub.outbox.values import Next

NOT_STORED = "(could not be stored)"
ANSWER_NOT_STORED = (
    "What became of it could not be stored ({}), so what is known of it is the attempt; this is a defect to report."
)


def finish_one_by_one(connection: Connection, endings: Sequence[Ending], now: Micros) -> list[Ending]:
    """As `finish`, but a report that cannot be stored is stored without its words; the endings as they were stored."""
    return [_joined(ending, [_stored(connection, part, now) for part in _parts(ending)]) for ending in endings]


def kind_of(error: Exception) -> str:
    """What kind of failure it was. Its message may hold the text of a person, so that is never shown."""
    return type(error.orig if isinstance(error, DBAPIError) and error.orig else error).__name__


def _parts(ending: Ending) -> Iterator[Ending]:
    """Each report by itself, then what is left to say of the attempt. A poll's attempt begins with its first report."""
    nothing = replace(ending, moves=(), steps=(), end=None, run=None, start=None, postponed={})
    for place, move in enumerate(ending.moves):
        yield replace(nothing, moves=(move,), start=None if place else ending.start)
    for step in ending.steps:
        yield replace(nothing, steps=(step,))
    if ending.end or ending.run or ending.postponed:
        yield replace(nothing, end=ending.end, run=ending.run, postponed=ending.postponed)


def _stored(connection: Connection, part: Ending, now: Micros) -> Ending:
    try:
        with connection.begin_nested():
            finish(connection, [part], now)
        return part
    except Exception as error:
        if is_passing(error):
            raise
        logger("outbox").error("a report could not be stored", connection=part.connection_id, why=kind_of(error))
        plain = _plain(part, now, kind_of(error))
    with connection.begin_nested():
        finish(connection, [plain], now)
    return plain


def _plain(part: Ending, now: Micros, why: str) -> Ending:
    """The same without anything that came from outside. A record that the vendor took stays one that was sent."""
    end = part.end and part.end._replace(request=NOT_STORED, response=NOT_STORED)
    return replace(part, moves=[_plain_move(move, now, why) for move in part.moves], steps=(), end=end)


def _plain_move(move: Move, now: Micros, why: str) -> Move:
    if move.next.state == "sent":
        return Move(move.id, move.person, Next("sent", due_at=now), move.outcome)
    return Move(move.id, move.person, Next("dead", "defect", ANSWER_NOT_STORED.format(why)), "defect")


def _joined(ending: Ending, parts: Sequence[Ending]) -> Ending:
    return replace(
        ending,
        moves=[move for part in parts for move in part.moves],
        steps=[step for part in parts for step in part.steps],
    )
