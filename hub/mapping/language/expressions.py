"""Expressions of mapping files: JMESPath with the mapping's own functions, checked before they are taken.

The library reports unknown functions and wrong argument counts only when a message reaches them; a mapping must be
refused earlier, with a place. So the tokens are read once more here, where every token still knows its column.
"""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jmespath.exceptions import EmptyExpressionError, IncompleteExpressionError, JMESPathError, LexerError, ParseError
from jmespath.lexer import Lexer
from jmespath.parser import Parser

from hub.mapping.language.function_library import FAILURES, arities, interpreter
from hub.mapping.model import Json

MAX_NODES: Final = 60
MAX_DEPTH: Final = 20
MAX_CHARACTERS: Final = 2000
EVERYTHING: Final = "@"

Token = Mapping[str, Any]
Node = Any  # jmespath's own tree: {type, children, value}

_PLAIN_PATH = re.compile(r'~?(?:[\w$-]+|"(?:[^"\\]|\\.)+")(?:\.~?(?:[\w$-]+|"(?:[^"\\]|\\.)+"))*')
_ARITIES = arities()
_INTERPRETER = interpreter()
_OPENING = frozenset({"lparen", "lbracket", "lbrace", "filter"})
_CLOSING = frozenset({"rparen", "rbracket", "rbrace"})
_COMPARISONS = frozenset({"eq", "ne", "lt", "lte", "gt", "gte"})
_CONTINUES = frozenset({"dot", "lbracket", "flatten", "filter"})


class ExpressionInvalid(ValueError):
    """An expression that is refused; `offset` is the column, from 0, where it goes wrong."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


class Expression:
    """A checked expression. `paths` are the top-level names it reads, with `@` where it reads the whole scope."""

    __slots__ = ("_root", "paths", "text")

    def __init__(self, text: str, root: Node) -> None:
        self.text = text
        self.paths = frozenset(_names(root, at_root=True))
        self._root = root

    def search(self, scope: Mapping[str, Json]) -> Json:
        """The value, or None where the expression fails. Never raises; what it returns may share parts of the scope."""
        try:
            return _INTERPRETER.visit(self._root, scope)
        except FAILURES:
            return None


def is_plain_path(text: str) -> bool:
    """Whether the text is a dotted path, which needs no JMESPath: `traits.~first_name`, `a."First Name".b-c`."""
    return _PLAIN_PATH.fullmatch(text) is not None


def compile_expression(text: str) -> Expression:
    """Parse and check an expression. Raises ExpressionInvalid with a sentence and a column."""
    if len(text) > MAX_CHARACTERS:
        raise ExpressionInvalid(f"The expression is longer than {MAX_CHARACTERS} characters.", MAX_CHARACTERS)
    tokens, root = _parsed(text)
    for check in (_check_calls, _check_comparisons, _check_slices):
        check(tokens)
    if _count(root) > MAX_NODES:
        raise ExpressionInvalid(f"The expression has more than {MAX_NODES} parts; split it with `let`.", 0)
    if _depth(root) > MAX_DEPTH:
        raise ExpressionInvalid(f"The expression nests deeper than {MAX_DEPTH}; split it with `let`.", 0)
    return Expression(text, root)


def _parsed(text: str) -> tuple[list[Token], Node]:
    try:
        # Backticks without valid JSON inside are an old form that the library still takes, with a deprecation warning.
        with warnings.catch_warnings():
            warnings.simplefilter("error", PendingDeprecationWarning)
            return list(Lexer().tokenize(text)), Parser().parse(text).parsed
    except PendingDeprecationWarning:
        words = "Between backticks stands JSON, as in `5` or `true`; text stands in single quotes: 'text'."
        raise ExpressionInvalid(words, text.index("`")) from None
    except EmptyExpressionError:
        raise ExpressionInvalid("The expression is empty.", 0) from None
    except IncompleteExpressionError:
        raise ExpressionInvalid("The expression ends too early.", len(text)) from None
    except LexerError as error:
        words = "Compare with `==`, not with `=`." if error.lexer_value == "=" else f"{error.message}."
        raise ExpressionInvalid(words, error.lexer_position) from None
    except ParseError as error:
        if error.token_type == "EOF":  # noqa: S105 - a kind of token, no password
            raise ExpressionInvalid("The expression ends too early.", len(text)) from None
        words = f"{error.token_value!r} cannot stand here."
        if error.token_type == "NUMBER":  # noqa: S105 - a kind of token, no password
            words += f" A number stands in backticks: `{error.token_value}`."
        raise ExpressionInvalid(words, error.lex_position) from None
    except RecursionError:
        raise ExpressionInvalid(f"The expression nests deeper than {MAX_DEPTH}; split it with `let`.", 0) from None
    except JMESPathError as error:
        raise ExpressionInvalid(f"The expression is not valid: {error}.", 0) from None


def _check_calls(tokens: list[Token]) -> None:
    """Functions exist, have the arguments they need, and `&expressions` stand only where a function takes one."""
    taken = set[int]()
    for index, token in enumerate(tokens[:-1]):
        if token["type"] == "unquoted_identifier" and tokens[index + 1]["type"] == "lparen":
            taken.update(_check_call(tokens, index))
    for index, token in enumerate(tokens):
        if token["type"] == "expref" and index not in taken:
            raise ExpressionInvalid("`&` belongs only before an argument that is an expression.", token["start"])


def _check_call(tokens: list[Token], index: int) -> Iterator[int]:
    name, start = tokens[index]["value"], tokens[index]["start"]
    if name not in _ARITIES:
        near = difflib.get_close_matches(name, _ARITIES, 1)
        hint = f"; did you mean {near[0]}?" if near else f". There are {', '.join(sorted(_ARITIES))}."
        raise ExpressionInvalid(f"There is no function {name!r}{hint}", start)
    fewest, most, expressions = _ARITIES[name]
    arguments = _arguments(tokens, index + 1)
    if len(arguments) < fewest or (most is not None and len(arguments) > most):
        wanted = str(fewest) if fewest == most else f"at least {fewest}" if most is None else f"{fewest} to {most}"
        raise ExpressionInvalid(f"{name}() takes {wanted} argument(s), not {len(arguments)}.", start)
    for position, first in enumerate(arguments):
        is_expression = tokens[first]["type"] == "expref"
        if position in expressions and not is_expression:
            raise ExpressionInvalid(
                f"Argument {position + 1} of {name}() is an expression: write `&` before it.", start
            )
        if is_expression and position in expressions:
            yield first


def _arguments(tokens: list[Token], opening: int) -> list[int]:
    """The index of the first token of each argument of the call that opens here."""
    if tokens[opening + 1]["type"] == "rparen":
        return []
    firsts, depth = [opening + 1], 0
    for index in range(opening, len(tokens)):
        kind = tokens[index]["type"]
        depth += (kind in _OPENING) - (kind in _CLOSING)
        if depth == 0:
            break
        if kind == "comma" and depth == 1:
            firsts.append(index + 1)
    return firsts


def _check_comparisons(tokens: list[Token]) -> None:
    """`event == "X"` compares with the key X, which is silently never equal."""
    for index, token in enumerate(tokens):
        if token["type"] not in _COMPARISONS:
            continue
        left, right = tokens[index - 1], tokens[index + 1]
        if right["type"] == "quoted_identifier" and tokens[index + 2]["type"] not in _CONTINUES:
            _refuse_quoted(right, other=left)
        if left["type"] == "quoted_identifier" and (index < 2 or tokens[index - 2]["type"] != "dot"):
            _refuse_quoted(left, other=right)


def _refuse_quoted(token: Token, other: Token) -> None:
    if other["type"] == "literal":  # a key on one side and text on the other: as it should be
        return
    text = token["value"]
    raise ExpressionInvalid(
        f"Double quotes name a key here, so this compares with the key {text!r}. Text stands in single quotes: "
        f"'{text}'. If a key is meant, write @.\"{text}\".",
        token["start"],
    )


def _check_slices(tokens: list[Token]) -> None:
    """`[::0]` fails on every list."""
    for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        is_step = before["type"] == "colon" and after["type"] == "rbracket"
        if is_step and token["type"] == "number" and token["value"] == 0 and _is_second_colon(tokens, before):
            raise ExpressionInvalid("A slice cannot have the step 0.", token["start"])


def _is_second_colon(tokens: list[Token], colon: Token) -> bool:
    index = tokens.index(colon)
    return "colon" in {token["type"] for token in tokens[max(0, index - 2) : index]}


def _children(node: Node) -> Iterator[Node]:
    return (child for child in node.get("children", ()) if isinstance(child, dict))


def _count(node: Node) -> int:
    return 1 + sum(map(_count, _children(node)))


def _depth(node: Node) -> int:
    return 1 + max(map(_depth, _children(node)), default=0)


def _names(node: Node, *, at_root: bool) -> Iterator[str]:
    """Names read from the scope. What stands behind a dot, a pipe or in a filter reads from what came before it."""
    kind = node["type"]
    if kind == "field" and at_root:
        yield node["value"]
    elif kind in {"current", "identity"} and at_root:
        yield EVERYTHING
    elif kind in _CHAINS:
        first, *rest = _children(node)
        is_scope = at_root and first["type"] in {"current", "identity"} and kind in {"subexpression", "pipe"}
        if not is_scope:
            yield from _names(first, at_root=at_root)
        for index, child in enumerate(rest):
            yield from _names(child, at_root=is_scope and index == 0)
    else:
        for child in _children(node):
            yield from _names(child, at_root=at_root and kind != "expref")


_CHAINS = frozenset(
    {"subexpression", "pipe", "index_expression", "projection", "value_projection", "filter_projection", "flatten"}
)
