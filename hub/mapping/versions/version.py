"""Versions of mappings: one content, one hash, whatever files it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from hub.mapping.build.inbound import build_inbound
from hub.mapping.build.outbound import build_outbound
from hub.mapping.build.parts import check_frame
from hub.mapping.language.document import Node
from hub.mapping.language.problems import MappingFileInvalid, Mark, problem
from hub.mapping.language.schema import LANGUAGE, OPERATIONS
from hub.mapping.model import Json
from hub.mapping.versions.files import Folders, Stamp, read
from hub.sdk.json import dumps


class Resolved(NamedTuple):
    """A valid mapping with all it extends in it. `content` is what the state database keeps under `hash`."""

    document: Node
    hash: str
    content: str
    connector: str
    files: tuple[Stamp, ...]


def resolve(name: str, patch: str, folders: Folders) -> Resolved:
    """Read, patch and check a mapping. Raises MappingInvalid, naming file, line and column."""
    source = read(name, patch, folders)
    content = _checked(source.document)
    return Resolved(
        source.document, hash_of(content), content.decode(), str(source.document.value["connector"].value), source.files
    )


@lru_cache(maxsize=32)  # by the document itself, which is the same one as long as its text is
def _checked(document: Node) -> bytes:
    check(document)
    return dumps(document.plain())


def hash_of(content: bytes) -> str:
    """64 characters: the language version and the resolved document. Key order counts, since it has a meaning."""
    return hashlib.sha256(b"mapping/%d/" % LANGUAGE + content).hexdigest()


def check(document: Node) -> None:
    """Build what the document describes. Raises MappingFileInvalid with every problem found."""
    is_outbound = any(document.get(operation) is not None for operation in OPERATIONS)
    is_inbound = document.get("rules") is not None or document.get("who") is not None
    if is_outbound:
        build_outbound(document)
    if is_inbound:
        build_inbound(document)
    if not is_outbound and not is_inbound:
        check_frame(document)
        words = f"the file needs `who` and `rules` for incoming messages, or one of {', '.join(OPERATIONS)} to send"
        raise MappingFileInvalid([problem(document.mark, "", words)])


def from_content(content: Mapping[str, Json], name: str) -> Node:
    """A stored document as nodes again. Their places are gone: every mark names the version."""
    return _node(content, Mark(name, 1, 1))


def _node(value: Any, mark: Mark) -> Node:
    if isinstance(value, Mapping):
        return Node({key: _node(child, mark) for key, child in value.items()}, mark, dict.fromkeys(value, mark))
    if isinstance(value, list):
        return Node([_node(child, mark) for child in value], mark, {})
    return Node(value, mark, {})
