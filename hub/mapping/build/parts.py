"""What inbound and outbound documents have in common: frame, blanks, sections, `let`, `match`, `when`."""

from __future__ import annotations

from hub.mapping.build.rows import RowBuilder
from hub.mapping.build.sources import SourceReader
from hub.mapping.build.values import Want, text_key
from hub.mapping.values.coerce import scalar_text
from hub.mapping.language.document import Node
from hub.mapping.language.paths import fold
from hub.mapping.language.problems import MappingFileInvalid
from hub.mapping.language.schema import frame_problems
from hub.mapping.language.rows import Formula, FromPath, Row
from hub.mapping.language.rules import Match


def check_frame(root: Node) -> None:
    problems = frame_problems(root)
    if problems:
        raise MappingFileInvalid(problems)


def blanks_of(root: Node) -> frozenset[str]:
    node = root.get("blank")
    return frozenset(text_key(child.value) for child in node.value) if node is not None else frozenset()


def sections_of(root: Node) -> dict[str, Node]:
    node = root.get("sections")
    return dict(node.items()) if node is not None else {}


def build_lets(root: Node, reader: SourceReader, rows: RowBuilder) -> tuple[tuple[str, Row], ...]:
    """Names may use the names above them, so they cannot form a circle."""
    lets = []
    node = root.get("let")
    for name, child in node.items() if node is not None else ():
        row = rows.row(child, f"let.{name}", Want(removable=True))
        reader.lets.append(name)
        if row is not None:
            lets.append((name, row))
    return tuple(lets)


def build_match(node: Node | None, reader: SourceReader, place: str) -> tuple[Match, ...]:
    found = []
    for text, child in node.items() if node is not None else ():
        mark = node.key_marks[text] if node is not None else child.mark
        path = reader.path(text, mark, f"{place}.match")
        values = child.value if child.is_list else [child]
        texts = [scalar_text(value.plain()) for value in values]
        if None in texts or not texts:
            reader.complain(child.mark, f"{place}.match", "match takes texts, numbers or booleans, or a list of them")
        elif path is not None:
            found.append(Match(path, frozenset(fold(str(value)) for value in texts)))
    return tuple(found)


def build_condition(node: Node, reader: SourceReader, place: str) -> Formula | FromPath | None:
    child = node.get("when")
    return None if child is None else reader.source(child.value, child.mark, f"{place}.when")
