"""Expressions: what they compute, what is refused before a message sees it, and that nothing raises."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.mapping.language.expressions import ExpressionInvalid, compile_expression, is_plain_path
from hub.mapping.language.function_library import arities
from tests.unit.mapping.odd_values import JSON, ODD

SCOPE = {
    "name": "Ada", "nothing": None, "blank": "  ", "event": "Order Completed", "locale": "en-GB", "tenth": 0.1, "fifth": 0.2,
    "big": 9007199254740993, "flags": [True, 1, 1.0, "1"], "mixed": ["x", None, 3, True], "card": {"no": 1, "tier": "gold"},
    "items": [{"sku": "a", "price": 1.5, "count": 2}, {"sku": "b", "price": 2, "count": 1}, {"sku": None}],
}  # fmt: skip


def value_of(text, scope=SCOPE):
    return compile_expression(text).search(scope)


def refusal(text):
    with pytest.raises(ExpressionInvalid) as caught:
        compile_expression(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("get(card, 'tier')", "gold"), ("get(card, 'none')", None), ("get(card, 'none', 'x')", "x"), ("get(items, `0`).sku", "a"),
        ("get(items, `9`)", None), ("lower(name)", "ada"), ("upper(name)", "ADA"), ("trim(' a ')", "a"),
        ("split('a,b', ',')", ["a", "b"]), ("replace(event, ' ', '_')", "Order_Completed"), ("snake(event)", "order_completed"),
        ("snake('productID2Name')", "product_id2_name"), ("concat('id-', card.no)", "id-1"), ("concat(name, nothing, '!')", "Ada!"),
        ("concat(nothing, nothing)", None), ("first_value(nothing, blank, name)", "Ada"), ("first_value([blank, `0`])", 0),
        ("is_blank(blank)", True), ("is_blank(nothing)", True), ("is_blank(name)", False), ("is_blank(`0`)", False),
        ("entries(card)", [{"key": "no", "value": 1}, {"key": "tier", "value": "gold"}]),
        ("from_entries(entries(card))", {"no": 1, "tier": "gold"}), ("pick(card, 'no', 'none')", {"no": 1}),
        ("pick(card, ['no'])", {"no": 1}), ("omit(card, 'no')", {"tier": "gold"}),
        ("with_nulls(card, 'no', 'level')", {"no": 1, "tier": "gold", "level": None}), ("unique(flags)", [True, 1, "1"]),
        ("add(tenth, fifth)", 0.3), ("add(big, `0`, `1`)", 9007199254740994), ("subtract(tenth, fifth)", -0.1),
        ("multiply(items[0].price, items[0].count)", 3.0), ("multiply(`3`, `4`)", 12), ("locale_country(locale)", "GB"),
        ("sha256('abc')", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("join(' ', mixed)", "x 3 true"), ("length(name)", 3), ("keys(card)", ["no", "tier"]), ("contains(event, 'Order')", True),
        ("contains(flags, `true`)", True), ("contains(['a'], 'b')", False), ("starts_with(event, 'Order')", True),
        ("ends_with(event, 'x')", False), ("merge(card, {no: `2`}, nothing)", {"no": 2, "tier": "gold"}),
        ("to_number('17.5')", 17.5), ("items[?price > `1.6`].sku | [0]", "b"), ("sum(items[*].count)", 3),
        ("nothing || name", "Ada"), ("sort_by(items[:2], &price)[-1].sku", "b"), ('items[0]."sku"', "a"),
    ],
)  # fmt: skip
def test_what_expressions_compute(text, value):
    result = value_of(text)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "lower(nothing)", "lower(card)", "upper(`5`)", "trim(items)", "split(name, '')", "split(name, nothing)", "replace(name, '', 'x')",
        "replace(name, 'A', nothing)", "snake(card)", "concat(name, card)", "join(nothing, mixed)", "join(' ', nothing)",
        "join(' ', [card])", "length(nothing)", "length(`5`)", "keys(nothing)", "keys(name)", "contains(nothing, 'x')",
        "contains(name, `5`)", "starts_with(nothing, 'x')", "starts_with(name, nothing)", "ends_with(`1`, 'x')", "merge(nothing)",
        "merge(card, 'x')", "entries(items)", "from_entries(card)", "pick(nothing, 'a')", "omit(items, 'a')", "with_nulls(name, 'a')",
        "unique(name)", "add(name, `1`)", "subtract(`true`, `1`)", "multiply(nothing, `2`)", "multiply(`1e308`, `1e308`)",
        "locale_country(name)", "sha256(card)", "sum(mixed)", "max(mixed)", "sort(mixed)", "abs(name)", "sort_by(mixed, &x)",
        "to_number('1_000')", "to_number('inf')", "name < tenth", "values(nothing)", "map(&sku, nothing)", "get(nothing, 'a')",
    ],
)  # fmt: skip
def test_a_wrong_type_gives_null(text):
    assert value_of(text) is None


def test_a_wrong_type_inside_gives_null_there_and_the_rest_goes_on():
    assert value_of("[lower(card), lower(name)]") == [None, "ada"]
    assert value_of("lower(card) || 'other'") == "other"
    assert value_of("{a: name > tenth, b: `1`}") == {"a": None, "b": 1}


def test_no_function_makes_more_than_a_message_could_hold():
    scope = {"long": "a" * 100_000, "many": ["b"] * 100_000}
    assert value_of("replace(long, 'a', long)", scope) is None
    assert value_of("join(long, many)", scope) is None
    assert value_of("length(replace(long, 'a', 'bb'))", scope) == 200_000


@pytest.mark.parametrize(
    ("text", "offset", "words"),
    [
        ('event == "Order Completed"', 9, "'Order Completed'"), ('"X" != event', 0, "single quotes"),
        ('a && b == "X" || c', 10, "single quotes"), ('items[?sku == "a"]', 14, "single quotes"),
        ("lowr(name)", 0, "did you mean lower"), ("a || now()", 5, "no function 'now'"), ("lower(a, b)", 0, "takes 1 argument"),
        ("get(a)", 0, "2 to 3"), ("add(a)", 0, "at least 2"), ("x.keys()", 2, "not 0"), ("[length(a, {x: b, y: c}, [d, e])]", 1, "not 3"),
        ("sort_by(items, price)", 0, "write `&`"), ("&name", 0, "`&`"), ("to_array(&name)", 9, "`&`"), ("a = b", 2, "=="),
        ("a == 5", 5, "backticks"), ("`five`", 0, "backticks"), ("", 0, "empty"), ("a.", 2, "too early"), ("a[", 2, "too early"),
        ("a b", 2, "cannot stand here"), ("a[::0]", 4, "step 0"), ("a[1:2:0]", 6, "step 0"), ("a #", 2, "#"), ("'open", 0, ""),
        ("(" * 1500, 0, "deeper than 20"), ("a" * 2001, 2000, "2000"),
    ],
)  # fmt: skip
def test_traps_are_refused_with_their_column(text, offset, words):
    refused = refusal(text)
    assert words in refused.message
    assert refused.offset == offset


def test_a_tree_has_at_most_sixty_parts_and_twenty_levels():
    assert compile_expression("[" + ", ".join("abcdefghij"[i % 10] for i in range(59)) + "]")
    assert "60 parts" in refusal("[" + ", ".join(["a"] * 60) + "]").message
    assert compile_expression("lower(" * 19 + "a" + ")" * 19)
    assert "deeper than 20" in refusal("lower(" * 20 + "a" + ")" * 20).message


@pytest.mark.parametrize(
    "text", ["\"First Name\" == 'x'", "'x' == \"First Name\"", '@."First Name" == name', 'a."b c" == `1`', 'name == card."tier"', "a[0:2]", "a[:2:1]"]
)  # fmt: skip
def test_honest_uses_of_double_quotes_and_slices_are_taken(text):
    assert compile_expression(text).text == text


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("traits.email || context.traits.email", {"traits", "context"}), ("items[?sku == 'a'].price | [0]", {"items"}),
        ("{x: a, y: [b, c.d]}", {"a", "b", "c"}), ("@.profile.email", {"profile"}), ("@", {"@"}), ("a | b", {"a"}), ("@ | a.b", {"a"}),
        ("sort_by(items, &price)", {"items"}), ("concat(\"First Name\", 'x')", {"First Name"}), ("*.a", {"@"}), ("[*].a", {"@"}),
        ("!a && (b > c)", {"a", "b", "c"}), ("length(@)", {"@"}),
    ],
)  # fmt: skip
def test_an_expression_knows_which_names_of_the_scope_it_reads(text, names):
    assert compile_expression(text).paths == names


@pytest.mark.parametrize(
    "path",
    ["userId", "traits.~first_name", '~"First Name"', 'traits."First Name"', "a.b-c.$d", "properties.ünï", '"a\\"b"'],
)
def test_dotted_paths_are_plain(path):
    assert is_plain_path(path)


@pytest.mark.parametrize(
    "text", ["", "a.", ".a", "a b", "a[0]", "a || b", "lower(a)", "a..b", '"open', "`1`", "@", "a.~", '""']
)
def test_everything_else_is_an_expression(text):
    assert not is_plain_path(text)


def call(name, arity):
    fewest, most, expressions = arity
    for count in range(fewest, (most or fewest + 2) + 1):
        arguments = ", ".join("&v0" if i in expressions else f"v{i}" for i in range(count))
        yield compile_expression(f"{name}({arguments})")


CALLS = [expression for name, arity in sorted(arities().items()) for expression in call(name, arity)]


@settings(max_examples=150, deadline=None)
@given(JSON, JSON, JSON, JSON)
def test_no_function_raises_or_makes_a_number_that_is_not_finite(v0, v1, v2, v3):
    scope = {"v0": v0, "v1": v1, "v2": v2, "v3": v3}
    given_values = list(scope.values())
    for expression in CALLS:
        result = expression.search(scope)
        if isinstance(result, float) and not any(result is value for value in given_values):
            assert math.isfinite(result)


def test_no_function_raises_on_odd_values():
    for value in ODD:
        for other in ("x", 1, None, [value], {"a": value}):
            for expression in CALLS:
                expression.search({"v0": value, "v1": other, "v2": value, "v3": other})
                expression.search({"v0": other, "v1": value, "v2": other, "v3": value})


@settings(max_examples=300, deadline=None)
@given(st.text("abc.[]?&|!@=<>'\"`0123{}:, ()*-~", max_size=30))
def test_any_text_either_compiles_or_is_refused_with_a_column_inside_it(text):
    refused = expression = None
    try:
        expression = compile_expression(text)
    except ExpressionInvalid as error:
        refused = error
    if refused is not None:
        assert 0 <= refused.offset <= len(text)
        assert refused.message.endswith((".", "`"))
        return
    for scope in ({}, {"a": [1, {"b": "c"}], "b": None, "c": "x"}):
        expression.search(scope)
