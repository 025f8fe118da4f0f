"""What connectors report, made storable where it enters the hub: whatever a vendor wrote, a row can hold it.

An id that would have to be changed is no longer the vendor's id. It is not kept, and a notice says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from hub.outbox.rules import DETAIL_CHARS, REASON_CHARS
from hub.sdk.flow import ContractBroken
from hub.sdk.json import dumps, storable_json
from hub.sdk.text import is_storable, storable
from hub.sdk.values import Accepted, Again, Outcome, Pending, Progress, Rejected, Report

KEPT_CHARS: Final = 65_536  # of a remembered text or a record's name in a job
TOKEN_CHARS: Final = 255  # as the column
NOTICES_KEPT: Final = 50
LONGEST_S: Final = 86_400.0
LONGEST_JOB_S: Final = 30 * 86_400.0
SOON_S: Final = 60.0
NOT_KEPT: Final = "The vendor's {} was not kept: it is too long, or holds characters that no database stores."
NO_OUTCOME: Final = "The connector reported an outcome that cannot be stored ({}); this is a defect to report."


def storable_reports(reports: Sequence[Report]) -> list[Report]:
    """`reports` as rows can hold them. An outcome of which nothing can be made is a dead letter, its neighbours are not.

    Raises ContractBroken for progress that is no JSON: the flow must not go on as if it were stored.
    """
    return [one if _is_plain(one) else _storable(one) for one in reports]


def _is_plain(report: Report) -> bool:
    """Nearly all: accepted, and nothing to say."""
    return type(report) is Accepted and not (report.remember or report.notices or report.receipt)


def _storable(report: Report) -> Report:
    if isinstance(report, Progress):
        return _progress(report)
    try:
        return _outcome(report)
    except Exception as defect:  # noqa: BLE001 - a connector's own failure: this record bears it, and no other
        return Rejected(
            report.delivery_id, NO_OUTCOME.format(storable(f"{type(defect).__name__}: {defect}", 200)), "defect"
        )


def _progress(report: Progress) -> Progress:
    try:
        progress = storable_json(report.progress)
        dumps(progress)
        return replace(report, progress=progress, remember=_kept(report.remember))
    except (TypeError, ValueError, AttributeError) as error:
        raise ContractBroken(f"The connector reported progress that is no JSON: {error}") from error


def _outcome(report: Outcome) -> Outcome:
    one = report.delivery_id
    if isinstance(report, Accepted):
        return _accepted(report)
    if isinstance(report, Rejected):
        code, field = storable(report.code, REASON_CHARS), report.field and storable(report.field, REASON_CHARS)
        return Rejected(one, storable(report.reason, DETAIL_CHARS), code, field)
    if isinstance(report, Again):
        after_s = None if report.after_s is None else _seconds(report.after_s, LONGEST_S)
        return Again(one, storable(report.reason, DETAIL_CHARS), after_s, report.counts)
    token = report.token if is_storable(report.token, TOKEN_CHARS) else ""
    after_s, give_up_s = _seconds(report.after_s, LONGEST_S), _seconds(report.give_up_s, LONGEST_JOB_S)
    return Pending(one, token, after_s, storable(report.find_by, KEPT_CHARS), give_up_s)


def _accepted(report: Accepted) -> Accepted:
    kept = _kept(report.remember)
    notices = [storable(notice, DETAIL_CHARS) for notice in report.notices[:NOTICES_KEPT]]
    if len(kept) < len(report.remember):
        lost = sorted(set(report.remember).difference(kept))
        notices += [NOT_KEPT.format(storable(name, REASON_CHARS)) for name in lost]
    return Accepted(report.delivery_id, kept, notices, report.receipt and storable(report.receipt, DETAIL_CHARS))


def _kept(remember: Mapping[str, str | None]) -> dict[str, str | None]:
    return {
        name: value
        for name, value in remember.items()
        if is_storable(name, REASON_CHARS) and (value is None or is_storable(value, KEPT_CHARS))
    }


def _seconds(given: float, longest: float) -> float:
    """A number of seconds that a time can be counted by, whatever a vendor's header says."""
    return SOON_S if math.isnan(given) else max(0.0, min(float(given), longest))
