"""Which rules fit a message: found by hash on the texts that `match` asks for, not by trying each in turn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from hub.mapping.generate.learned_tables import LearningTable
from hub.mapping.generate.source import Emitter
from hub.mapping.language.paths import Path, fold
from hub.mapping.language.rows import FromPath
from hub.mapping.language.rules import Match, Rule
from hub.mapping.run.draft import Draft
from hub.mapping.run.rules import RunnableRule
from hub.mapping.values.coerce import scalar_text

Function = Callable[[Draft], Any]


def always(_draft: Draft) -> bool:
    """The condition of a rule without one, or whose condition is part of the dispatch."""
    return True


def dispatcher(
    rules: tuple[Rule, ...], steps: list[RunnableRule], indexes: tuple[int, ...], lets: dict[str, Function]
) -> Callable[[Draft], tuple[RunnableRule, ...]]:
    """Finds the rules whose `match` fits by the texts of all matched paths together."""
    paths = list(dict.fromkeys(match.path for index in indexes for match in rules[index].match))
    asked = list(dict.fromkeys(path for index in indexes if (path := _asked_path(rules[index])) is not None))
    if not paths and not asked:
        every = tuple(steps[index] for index in indexes)
        return lambda _draft: every
    wanted = [_Wanted.of(steps[index], paths, asked) for index in indexes]
    emitter = Emitter(is_inbound=True, lets=lets)
    emitter.constants["text"] = scalar_text
    texts = [_text_of(path, emitter) for path in paths]
    truths = [f"True if {emitter.truth(path)} else False" for path in asked]
    key, found = emitter.name("q"), emitter.name("s")
    emitter.line(f"{key} = ({', '.join([*texts, *truths])},)")
    emitter.look_up(found, LearningTable(partial(_fitting, wanted), _size), key)
    return emitter.function(found)


def _asked_path(rule: Rule) -> Path | None:
    """The path of a `when` that only asks whether something of the message is there: part of the dispatch."""
    when = rule.when
    return when.path if isinstance(when, FromPath) and when.path.root == "message" else None


def _text_of(path: Path, emitter: Emitter) -> str:
    value = emitter.read(path)
    emitter.line(
        f"if {value}.__class__ is not str: {value} = None if {value} is A or {value} is None else text({value})"
    )
    return value


class _Wanted(NamedTuple):
    """What a rule needs of the dispatch key: folded texts by place, and the place of its `when`."""

    step: RunnableRule
    texts: tuple[tuple[int, Match], ...]
    truth: int | None

    @classmethod
    def of(cls, step: RunnableRule, paths: list[Path], asked: list[Path]) -> _Wanted:
        path = _asked_path(step.rule)
        truth = None if path is None else len(paths) + asked.index(path)
        if truth is not None:
            step = step._replace(applies=always, attempt=step.run)
        return cls(step, tuple((paths.index(match.path), match) for match in step.rule.match), truth)


def _fitting(wanted: list[_Wanted], key: tuple[str | bool | None, ...]) -> tuple[RunnableRule, ...]:
    folded = [fold(text) if isinstance(text, str) else None for text in key]
    return tuple(
        rule.step
        for rule in wanted
        if (rule.truth is None or key[rule.truth]) and all(folded[place] in match.texts for place, match in rule.texts)
    )


def _size(key: tuple[str | bool | None, ...]) -> int:
    return sum(len(text) for text in key if isinstance(text, str))
