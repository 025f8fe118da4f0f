"""Many profiles at once, by Mailchimp's batch operations (api/batch-operations).

The synchronous list endpoint has no `status_if_new`, so it would resubscribe people; a batch of PUTs would not. Its
results lie in an archive at an address of its own. They are not needed: a PUT may be repeated, so if any operation
failed, each profile is sent by itself, where Mailchimp says what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from connectors.mailchimp.answers import status_of, text_of
from connectors.mailchimp.calls import Calls, subscriber_hash
from connectors.mailchimp.members import REMEMBERED
from hub.sdk.contract import Flow
from hub.sdk.errors import Permanent
from hub.sdk.values import Accepted, Again, Batch, Pending, Progress, Report, Waiting

ALONE: Final = "alone"
"""Progress of a profile whose batch did not go well: it goes by itself."""
FIRST_POLL_S: Final = 10.0
NEXT_POLL_S: Final = 30.0


def start(calls: Calls, batch: Batch) -> Flow:
    puts = [(item.delivery_id, subscriber_hash(item.body["email_address"]), item.body) for item in batch.items]
    batch_id = text_of((yield calls.start_batch(puts)), "id")
    yield [Pending(delivery_id, batch_id, FIRST_POLL_S, find_by=member) for delivery_id, member, _ in puts]


def poll(calls: Calls, batch_id: str, waiting: Sequence[Waiting]) -> Flow:
    try:
        response = yield calls.batch(batch_id)
    except Permanent as refusal:
        if status_of(refusal) != 404:
            raise
        yield [report for one in waiting for report in _alone(one, "Mailchimp no longer knows the batch.")]
        return
    told = response.json()
    if text_of(response, "status") != "finished":
        yield [Pending(one.delivery_id, batch_id, NEXT_POLL_S, find_by=one.find_by) for one in waiting]
    elif told.get("errored_operations") == 0:
        yield [Accepted(one.delivery_id, {REMEMBERED: one.find_by}) for one in waiting]
    else:
        why = "Mailchimp refused some profiles of the batch; each is sent by itself."
        yield [report for one in waiting for report in _alone(one, why)]


def _alone(one: Waiting, why: str) -> Sequence[Report]:
    return [Progress(one.delivery_id, ALONE), Again(one.delivery_id, why, counts=False)]
