"""Tables that learn: what is worked out once for a key of the data is found by hash from then on."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

from hub.mapping.language.paths import ABSENT
from hub.mapping.language.rows import Named, Pick, Spread
from hub.mapping.model import Json
from hub.mapping.run.meaning import listed, written_key
from hub.mapping.values.coerce import Failed

MAX_ENTRIES: Final = 4096  # senders invent keys without end
MAX_KEY: Final = 200

_Key = TypeVar("_Key", bound=Hashable)
_Slot = TypeVar("_Slot")


class LearningTable(Generic[_Key, _Slot]):
    """`known` holds what was learnt; `learn` works it out for a key that is not there yet, and remembers it while
    there is room. Generated code asks `known` first: a plain dict answers fastest."""

    def __init__(self, result: Callable[[_Key], _Slot], size_of: Callable[[_Key], int]) -> None:
        self.known: dict[_Key, _Slot] = {}
        self._result = result
        self._size_of = size_of

    def learn(self, key: _Key) -> _Slot:
        slot = self._result(key)
        if len(self.known) < MAX_ENTRIES and self._size_of(key) <= MAX_KEY:
            self.known[key] = slot
        return slot


class SpreadTable(LearningTable[str, "str | tuple[str, Named, bool] | None"]):
    """Key of a spread object -> the name it is written under; None where it is left out. Where rows name parts of it,
    these stand beside the name, and whether the value itself is named unless it is an object."""

    def __init__(self, row: Spread, prefix: str) -> None:
        super().__init__(self._slot_of, len)
        self._row = row
        self._prefix = prefix
        named = [*row.named.exact.values(), *row.named.folded.values()]
        self.has_named = bool(named)
        self.is_partial = any(not child.is_whole for child in named)

    def _slot_of(self, key: str) -> str | tuple[str, Named, bool] | None:
        row = self._row
        named = row.named.find(key)
        name = written_key(row, key)
        if not name or (named is not None and named.is_whole):
            return None
        return self._prefix + name if named is None else (self._prefix + name, named, named.is_leaf)


class ValuesTable(LearningTable[str, Json]):
    """Text -> what `values` and the coercion make of it: None for a listed null, ABSENT where the interpreter must look."""

    def __init__(self, row: Pick) -> None:
        super().__init__(self._made_of, len)
        self._row = row

    def _made_of(self, text: str) -> Json:
        assert self._row.values is not None
        found = listed(self._row.values, text)
        if found is None or found is ABSENT or self._row.coerce is None:
            return found
        checked = self._row.coerce(found)
        return ABSENT if isinstance(checked, Failed) else checked
