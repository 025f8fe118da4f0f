"""The flow driver tries to be fooled by flows that crash, catch, forget and repeat."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hub.sdk.contract import by_status
from hub.sdk.errors import AuthFailed, DeliveryError, RateLimited, Retryable
from hub.sdk.flow import ContractBroken, run_flow
from hub.sdk.values import Accepted, Again, Progress, Rejected, Request, Response, Waiting

NOW = datetime(2026, 3, 14, tzinfo=UTC)
RECORDS = [Waiting("one", ""), Waiting("two", "")]
ASK = Request("GET", "/")


class Line:
    """Answers statuses in turn, or raises what stands in their place; remembers what was stored and when."""

    def __init__(self, *answers: int | DeliveryError) -> None:
        self.answers = list(answers)
        self.story: list[object] = []

    def send(self, request: Request) -> Response:
        self.story.append(request.path)
        answer = self.answers.pop(0)
        if isinstance(answer, DeliveryError):
            raise answer
        return Response(answer, {}, b"", NOW)

    def run(self, flow):
        return run_flow(
            RECORDS,
            flow,
            self.send,
            lambda _request, response: by_status(response),
            self.story.extend,
        )


def test_a_clean_flow_reports_every_record():
    def flow():
        answer = yield ASK
        yield [Accepted("one", receipt=str(answer.status)), Rejected("two", "no")]
        return "done"

    line = Line(201)
    end = line.run(flow())

    assert (end.error, end.open_ids, end.value) == (None, (), "done")
    assert line.story == ["/", Accepted("one", receipt="201"), Rejected("two", "no")]


def test_an_error_nobody_catches_applies_to_the_records_that_have_no_outcome_yet():
    def flow():
        yield [Accepted("one")]
        yield ASK

    line = Line(429)
    end = line.run(flow())

    assert isinstance(end.error, RateLimited)
    assert end.error.response.status == 429
    assert end.open_ids == ("two",)
    assert line.story == [Accepted("one"), "/"]


def test_an_error_that_the_flow_catches_is_its_own_business():
    def flow():
        try:
            yield ASK
        except DeliveryError as error:
            yield Request("POST", f"/create-after-{error.response.status}")
        yield [Accepted("one"), Accepted("two")]

    line = Line(404, 201)

    assert line.run(flow()).error is None
    assert line.story[:2] == ["/", "/create-after-404"]


def test_a_failure_to_get_an_answer_is_thrown_into_the_flow_as_well():
    caught = []

    def flow():
        try:
            yield ASK
        except Retryable as error:
            caught.append(error)
            raise
        yield [Accepted("one"), Accepted("two")]

    lost = Retryable("The connection broke.", unknown=True)
    end = Line(lost).run(flow())

    assert caught == [lost]
    assert end.error is lost
    assert end.open_ids == ("one", "two")


def test_progress_is_stored_before_the_call_that_must_not_be_repeated():
    def flow():
        yield [Progress("one", "asked"), Progress("two", "asked")]
        yield ASK
        yield [Accepted("one"), Again("two", "later")]

    line = Line(200)
    line.run(flow())

    assert line.story == [
        Progress("one", "asked"),
        Progress("two", "asked"),
        "/",
        Accepted("one"),
        Again("two", "later"),
    ]


def test_a_record_without_an_outcome_at_a_clean_end_is_a_defect_told_after_the_rest_was_stored():
    def flow():
        yield ASK
        yield [Accepted("one")]

    line = Line(200)
    with pytest.raises(ContractBroken, match="two") as broken:
        line.run(flow())

    assert broken.value.open_ids == ("two",)
    assert line.story == ["/", Accepted("one")]


@pytest.mark.parametrize(
    ("reports", "words"),
    [
        ([Accepted("one"), Rejected("one", "no"), Accepted("two")], "one already has an outcome"),
        ([Accepted("one"), Accepted("two"), Accepted("stranger")], "stranger is not in the batch"),
    ],
)
def test_a_second_outcome_or_a_strangers_is_a_defect_and_the_first_one_counts(reports, words):
    def flow():
        yield reports

    line = Line()
    with pytest.raises(ContractBroken, match=words):
        line.run(flow())

    assert line.story == [Accepted("one"), Accepted("two")]


def test_an_error_a_connector_raises_itself_carries_its_own_response():
    mine = Response(200, {}, b"login page", NOW)

    def flow():
        yield ASK
        raise AuthFailed("a login page", response=mine)

    assert Line(200).run(flow()).error.response is mine


def test_a_defect_of_a_connector_passes_through():
    def flow():
        yield ASK
        raise KeyError("status")

    with pytest.raises(KeyError):
        Line(200).run(flow())


def test_a_flow_of_no_records_gives_its_value():
    def flow():
        yield ASK
        return ["fine"]

    end = run_flow([], flow(), Line(200).send, lambda _request, response: by_status(response), print)

    assert end.value == ["fine"]
