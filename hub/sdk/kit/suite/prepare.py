"""What `prepare` does: it may create what is missing, once, and must be safe to repeat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hub.sdk.errors import AuthFailed, Retryable
from hub.sdk.flow import FlowEnd
from hub.sdk.json import canonical
from hub.sdk.kit.bench.bench import Bench, in_memory, wrong_credentials
from hub.sdk.kit.bench.pushes import EVENT_NAME
from hub.sdk.kit.subject import Subject
from hub.sdk.kit.suite.failed import require
from hub.sdk.values import Finding, Json, Wanted

AUDIENCES = ("vip", "big_spenders")
PEOPLE = ("profiles", "events", "messages")
MOST_CALLS = 60


def wanted(bench: Bench) -> Wanted:
    """What a mapping that makes the simulator's example fields would ask for."""
    examples = bench.simulator.example_fields
    fields = {one: dict(_kinds("", examples.get(one, {}))) for one in bench.destination.Options}
    return Wanted(fields, (EVENT_NAME, "Signed Up"), AUDIENCES)


def _kinds(prefix: str, fields: Mapping[str, Json]) -> Sequence[tuple[str, str]]:
    """Target names, dotted where nested, with the kind of their values."""
    found: list[tuple[str, str]] = []
    for name, value in fields.items():
        if isinstance(value, Mapping):
            found += _kinds(f"{prefix}{name}.", value)
        else:
            found.append((f"{prefix}{name}", _kind(value)))
    return found


def _kind(value: Json) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "list" if isinstance(value, list | tuple) else "string"


def prepare_is_safe_to_repeat(subject: Subject) -> None:
    """Twice leaves the vendor as once did, and no person, event or message comes of it."""
    bench = in_memory(subject)
    _prepared(bench, "the first time")
    people = [name for name in PEOPLE if getattr(bench.simulator, name)]
    require(
        not people, f"prepare made {', '.join(people)} at the vendor; it creates fields, event types and lists only"
    )
    once = canonical(bench.simulator.state())
    _prepared(bench, "repeated")
    require(canonical(bench.simulator.state()) == once, "prepare, repeated, changed what the vendor holds")
    bench.simulator.assert_expected()


def prepare_survives_each_step(subject: Subject) -> None:
    """Each call of prepare fails once; run again, it ends as if nothing had happened."""
    calm = in_memory(subject)
    _prepared(calm, "the first time")
    whole = canonical(calm.simulator.state())
    for call in range(MOST_CALLS):
        bench = in_memory(subject)
        bench.simulator.next("accepted_then_timeout", after=call)
        end = _run(bench)
        if bench.simulator.script.pending:
            break
        require(
            end.error is None or isinstance(end.error, Retryable),
            f"prepare, call {call + 1} not answered: it ended with {type(end.error).__name__}: {end.error}",
        )
        _prepared(bench, f"after call {call + 1} was not answered")
        held = canonical(bench.simulator.state())
        require(held == whole, f"prepare, call {call + 1} not answered, then repeated: the vendor holds something else")


def prepare_finds_bad_credentials(subject: Subject) -> None:
    """With wrong credentials it says so, or had nothing to ask."""
    bench = in_memory(subject, wrong_credentials(subject))
    end = _run(bench)
    calls = bench.simulator.calls()
    told = isinstance(end.error, AuthFailed) or any(one.level != "ok" for one in end.value or ())
    require(told or not calls, f"prepare is content with wrong credentials: {end.error or end.value}")


def _prepared(bench: Bench, when: str) -> Sequence[Finding]:
    end = _run(bench)
    require(end.error is None, f"prepare, {when}, ended with {type(end.error).__name__}: {end.error}")
    findings = list(end.value or ())
    strange = [one for one in findings if not isinstance(one, Finding) or not one.text.strip()]
    require(not strange, f"prepare returns findings with a sentence each; it returned {strange}")
    return findings


def _run(bench: Bench) -> FlowEnd:
    bench.kept.clear()
    return bench.drive([], bench.destination.prepare(wanted(bench)))
