"""What a source does that asks to erase people and follows that up: requests, questions, withdrawals, callbacks."""

from __future__ import annotations

from datetime import timedelta

from hub.sdk.contract import Source
from hub.sdk.errors import InboundError, PayloadInvalid
from hub.sdk.kit.subject import Subject
from hub.sdk.kit.suite.failed import CheckFailed, require
from hub.sdk.kit.suite.source import CURRENT, NOW, WRONG, sender_of, source_of
from hub.sdk.values import Erasure, ErasureStatus, InboundRequest, Received, Reply, Request

ID = "0b5c1d3e-8f7a-4c21-9d6e-3a1f5b7c9e02"
CALLBACK = "https://controller.example.com/callbacks?who=1"


def follows_erasures(subject: Subject) -> bool:
    """Whether the vendor ever asks what came of a request to erase."""
    sender_class = subject.sender_class
    return sender_class is not None and sender_class().erasure(ID, CALLBACK, CURRENT, NOW) is not None


def erasure_is_registered(subject: Subject) -> None:
    received = _received(source_of(subject), _asked(subject))
    require(len(received.messages) == 1, f"a request to erase gave {len(received.messages)} messages in place of one")
    erasure = received.erasure
    require(erasure is not None, "a request to erase was not handed on as one: set Received.erasure")
    assert erasure is not None, "required above"
    require(erasure.request_id == ID, f"the request has the id {ID}, and {erasure.request_id!r} was handed on")
    require(list(erasure.callbacks) == [CALLBACK], "the request's callback was not handed on")
    require(received == _received(source_of(subject), _asked(subject)), "the same request gave something else")


def erasure_questions_are_answered(subject: Subject) -> None:
    source = source_of(subject)
    for withdraw in (False, True):
        asked = sender_of(subject).question(ID, CURRENT, NOW, withdraw=withdraw)
        received = _received(source, asked)
        question = received.question
        require(question is not None and question.request_id == ID, "a question names the request it is about")
        assert question is not None, "required above"
        require(question.withdraw == withdraw, "asking and withdrawing were taken for each other")
        require(400 <= received.reply.status < 500, "a request that nobody made was answered as if there were one")
        for status in ErasureStatus:
            is_late = withdraw and status is not ErasureStatus.CANCELLED
            _answered(source, asked, status, is_refused=is_late)


def erasure_questions_need_the_secret(subject: Subject) -> None:
    source, sender = source_of(subject), sender_of(subject)
    forged = [sender.erasure(ID, CALLBACK, WRONG, NOW)]
    forged += [sender.question(ID, WRONG, NOW, withdraw=withdraw) for withdraw in (False, True)]
    for request in forged:
        assert request is not None, "follows_erasures said so"
        try:
            source.receive(request)
        except InboundError:
            continue
        raise CheckFailed(f"{request.method} {request.path} with a wrong secret was taken")


def callbacks_tell_the_status(subject: Subject) -> None:
    source = source_of(subject)
    told = [_callback(source, status) for status in ErasureStatus]
    require(len({repr(one) for one in told}) == len(told), "two statuses are told by the same call")
    require(told == [_callback(source, status) for status in ErasureStatus], "the same status gave other bytes")
    require(all(CURRENT not in repr(one) for one in told), "a secret shows in a callback as printed")


def _asked(subject: Subject) -> InboundRequest:
    request = sender_of(subject).erasure(ID, CALLBACK, CURRENT, NOW)
    assert request is not None, "follows_erasures said so"
    return request


def _received(source: Source, request: InboundRequest) -> Received:
    try:
        return source.receive(request)
    except InboundError as error:
        raise CheckFailed(f"{request.method} {request.path} was refused: {type(error).__name__}: {error}") from None


def _answered(source: Source, asked: InboundRequest, status: ErasureStatus, *, is_refused: bool) -> None:
    """A withdrawal that came too late is refused, everything else answered."""
    reply: Reply | None = None
    try:
        reply = source.answer(asked, _erasure(status))
    except PayloadInvalid:
        require(is_refused, f"asking after a request that is {status} was refused")
        return
    require(not is_refused, f"a request that is {status} was said to be withdrawn")
    require(200 <= reply.status < 300, f"asking after a request that is {status} was answered {reply.status}")


def _callback(source: Source, status: ErasureStatus) -> Request:
    return source.callback(_erasure(status), CALLBACK)


def _erasure(status: ErasureStatus) -> Erasure:
    return Erasure(ID, status, NOW, NOW + timedelta(days=30), NOW, status is ErasureStatus.CANCELLED)
