"""Checks of a connector's mapping file: it is valid, its targets allow what it makes, and its vendor takes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import jsonschema

from hub.check.records import scopes
from hub.mapping.inbound import compile_inbound
from hub.mapping.model import Mapped
from hub.mapping.outbound import Outbound, compile_outbound
from hub.mapping.versions.files import Folders, read_file
from hub.registry.discovery import Found, example_settings
from hub.sdk.kit.bench.bench import in_memory
from hub.sdk.kit.suite.failed import require
from hub.sdk.kit.suite.runner import Check
from hub.sdk.values import Accepted, AnyPush, EventPush, Operation, ProfilePush

__all__ = ["mapping_checks", "outbound_of"]


def mapping_checks(found: Found) -> Iterator[Check]:
    """The checks of this connector's mapping."""
    yield Check("has-a-mapping", "A valid mapping file comes with the connector.", partial(_is_valid, found))
    if found.destination_class is None:
        return
    for operation in sorted(found.destination_class.Options):
        sentence = f"What the mapping makes for {operation} fits the declared targets."
        yield Check(f"maps: {operation}", sentence, partial(_fits_targets, found, operation))
        if found.subject().simulator_class is not None:
            sentence = f"The vendor takes what the mapping makes for {operation} of full records."
            yield Check(f"arrives: {operation}", sentence, partial(_arrives, found, operation))


def outbound_of(found: Found) -> Outbound:
    """A destination's compiled mapping. Raises CheckFailed if there is none."""
    require(found.mapping_path, f"there is no mapping.yaml in its folder and no mappings/{found.name}.yaml")
    assert found.mapping_path is not None
    return _compiled(found.mapping_path, found.mapping_path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _compiled(path: Path, _changed_at: int) -> Outbound:
    """Compiling costs more than most checks, and a dozen of them ask for the same file."""
    return compile_outbound(read_file(path, Folders()).document)


def _is_valid(found: Found) -> None:
    path = found.mapping_path
    require(path, f"there is no mapping.yaml in its folder and no mappings/{found.name}.yaml")
    assert path is not None
    document = read_file(path, Folders()).document
    if found.source_class is not None:
        compile_inbound(document, connection_id="check", options={})
    if found.destination_class is not None:
        compile_outbound(document)


def _mapped(found: Found, operation: Operation) -> list[Mapped]:
    """What the mapping makes of each full record; empty where it makes nothing of an erasure."""
    assert found.destination_class is not None
    options = example_settings(found.destination_class.Options[operation])
    outbound = outbound_of(found)
    made = [outbound.apply(operation, {**scope, "options": options}) for scope in scopes(operation)]
    if operation is Operation.ERASE:
        return [one for one in made if not one.skip]  # it carries identifiers; most vendors need no mapped field
    skipped = [one.skip for one in made if one.skip]
    require(not skipped, f"the mapping skips an ordinary record: {', '.join(map(str, skipped))}")
    return made


def _fits_targets(found: Found, operation: Operation) -> None:
    assert found.destination_class is not None
    schema: Any = found.destination_class.targets.get(operation)
    mapped = _mapped(found, operation)
    if schema is None:
        return
    validator = jsonschema.Draft202012Validator(schema)
    problems = [error.message for one in mapped for error in validator.iter_errors(one.fields)]
    require(not problems, f"the mapping makes fields that the targets do not allow: {'; '.join(problems[:3])}")


def _arrives(found: Found, operation: Operation) -> None:
    """Each record, mapped and sent to the simulator, is accepted."""
    bench = in_memory(found.subject())
    bench.known(operation, 1)
    for number, mapped in enumerate(_mapped(found, operation)):
        (push,) = bench.pushes(operation, 1)
        sent = _with(push, mapped)
        sent = replace(
            sent, delivery_id=f"{sent.delivery_id[:-1]}{number}", vendor_key=f"{sent.vendor_key[:-1]}{number}"
        )
        got = bench.settle([sent])[sent.delivery_id]
        require(isinstance(got, Accepted), f"{operation}: the vendor does not take what the mapping makes: {got}")


def _with(push: AnyPush, mapped: Mapped) -> AnyPush:
    if isinstance(push, ProfilePush):
        return replace(push, fields=mapped.fields, changed=mapped.fields, unset=mapped.unset)
    if isinstance(push, EventPush) and mapped.name:
        return replace(push, fields=mapped.fields, name=mapped.name)
    return replace(push, fields=mapped.fields)
