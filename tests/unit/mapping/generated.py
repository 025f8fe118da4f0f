"""Strategies: random mappings over a small vocabulary, and random messages that often hit it."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

KEYS = ["a", "b", "first_name", "firstName", "First Name", "total", "list", "type", "email", "", "x y", "ünïcode"]
PATHS = [
    "a", "b", "total", "email", "traits.a", "traits.b", "traits.~first_name", 'traits."First Name"', "traits.email", "traits.list",
    "traits.deep.a", "traits.deep.~first_name", "traits.deep", "~total", "options.region", "hub.message_id", "named", "named.a",
    "late",
]  # fmt: skip
EXPRESSIONS = [
    "traits.a || traits.b", "get(traits, 'a')", "get(traits, named)", "length(traits.list)", "upper(traits.email)",
    "traits.list[0]", "!(traits.a)", "traits.a == 'x'", "traits.a != 'x' && traits.b", "b == `1`", "keys(traits)",
    "with_nulls(traits, ['a', 'zz'])", "@.traits.a", "named == 'x' || late",
]  # fmt: skip
CONDITIONS = [
    "traits.a", "traits.a == 'x'", "'x' == traits.b", "!(traits.a)", "traits.a && !(traits.b)", "traits.a || total", "length(traits)",
    "named", "named == 'x'", "named && late", "options.region != 'GB'", "named.a || named.b", "starts_with(traits.a, 'x')",
    "starts_with(named, '') && total", "lower(traits.a) == 'x'", "'x' != lower(named.b)", "traits.a == `null`", "`null` != named",
    "lower(traits.~first_name) == `null`", "lower(options.region) == 'gb' || starts_with(late, 'X')",
]  # fmt: skip
KINDS = [
    "id", "string", "integer", "number", "boolean", "date", "datetime", "email", "phone", "money", "list", "json",
]  # fmt: skip


def usually(value: Any, other: st.SearchStrategy[Any], *, times: int = 9) -> st.SearchStrategy[Any]:
    """One value nine times out of ten: what is refused early teaches nothing about the rest."""
    return st.integers(0, times).flatmap(lambda number: other if number == times else st.just(value))


texts = st.sampled_from(
    ["x", "X", " ", "", "17", "true", "no", "ada@example.com", "2026-03-14", "2026-03-14T10:00:00Z", "+442079460018", "GBP",
     "020 7946 0018", "-", "a" * 300, "b" * 255, "ünï", "nul\0", "lone\ud800", "EUR", "paid"]
)  # fmt: skip
scalars = st.one_of(
    texts, texts, texts,
    st.none(), st.booleans(), texts, st.integers(-5, 5), st.integers(2**62, 2**66), st.sampled_from([1.0, 2.5, -0.0, 1e21]),
    st.sampled_from([math.nan, math.inf, -math.inf]),
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)),
    max_leaves=12,
)
good = st.sampled_from(
    [
        "x",
        "X",
        "ada@example.com",
        "2026-03-14",
        "2026-03-14T10:00:00Z",
        "+442079460018",
        "GBP",
        "17",
        17,
        2.5,
        True,
        None,
    ]
)
likely = st.one_of(good, good, good, texts, values)
people = st.dictionaries(st.sampled_from([*KEYS, "deep", "list"]), likely, max_size=9)
items = st.lists(st.dictionaries(st.sampled_from(["a", "b", "key", "value", *KEYS]), likely, max_size=6), max_size=4)
messages = st.fixed_dictionaries(
    {
        "userId": usually("u1", values),
        "type": usually("x", texts),
        "traits": st.one_of(people, people, people, people, scalars, st.lists(values, max_size=3)),
        "a": likely,
        "b": likely,
    },
    optional={
        "total": likely, "email": likely, "Total": likely, "items": st.one_of(items, items, items, items, values),
        "timestamp": usually("2026-03-14T10:00:00Z", st.one_of(st.sampled_from(["2031-01-01T00:00:00Z", "x"]), scalars)),
        "sentAt": texts, "receivedAt": texts,
    },
)  # fmt: skip


def _optional(**fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


paths = st.sampled_from(PATHS)
required = usually(value=False, other=st.just(value=True), times=30)
conditions = st.sampled_from(CONDITIONS)
commons = _optional(
    when=conditions,
    default=st.one_of(texts, st.just({"d": 1}), st.just(None)),
    required=required,
    at=st.just("timestamp"),
)
object_commons = _optional(when=conditions, default=st.just({"d": 1}), required=required, at=st.just("timestamp"))
list_commons = _optional(when=conditions, default=st.just([{"d": 1}]), required=required, at=st.just("timestamp"))
value_options = _optional(
    values=st.dictionaries(
        st.sampled_from(["x", "true", "1", "17", "Paid", "-"]), st.sampled_from(["one", None, True, 3]), min_size=1
    ),
    blank=st.sampled_from([["-", "x"], ["-"], ["0", "true", "2.5"], ["1e+21"]]),
    region=st.sampled_from(["options.region", ["traits.a", "options.region"]]),
)


constants = st.builds(lambda value: {"const": value}, st.one_of(texts, st.none(), st.just(5), st.just({"k": None})))


@st.composite
def picks(draw: Any) -> Any:
    """A path, candidates, or a row of values with options."""
    shape = draw(st.sampled_from(["path", "path", "candidates", "from", "from", "template", "const"]))
    if shape == "path":
        return draw(st.one_of(paths, paths, st.sampled_from(EXPRESSIONS)))
    if shape == "candidates":
        return draw(
            st.lists(
                st.one_of(paths, templates, st.builds(_from, paths, st.sampled_from(KINDS)), constants),
                min_size=1,
                max_size=3,
            )
        )
    if shape == "const":
        return {"const": draw(st.one_of(texts, st.none(), st.just(5), st.just({"k": None}))), **draw(commons)}
    if shape == "template":
        return {**draw(templates), **draw(commons)}
    row = {"from": draw(st.one_of(paths, st.lists(paths, min_size=1, max_size=3), st.sampled_from(EXPRESSIONS)))}
    row |= draw(commons) | draw(value_options)
    if draw(st.booleans()):
        row["as"] = draw(st.sampled_from(KINDS))
    if "values" in row and draw(st.booleans()):
        row["else"] = draw(st.sampled_from(["keep", "other", None]))
    return row


@st.composite
def typed(draw: Any, kinds: tuple[str, ...] = ()) -> Any:
    """A row for a place that takes one kind of value: what a file writes there is checked before it runs."""
    shape = draw(st.sampled_from(["path", "path", "candidates", "from", "from", "template"]))
    if shape == "path":
        return draw(st.one_of(paths, paths, st.sampled_from(EXPRESSIONS)))
    options = draw(_optional(when=conditions, required=required, at=st.just("timestamp"))) | draw(value_options)
    if shape == "template":
        return {**draw(templates), **options}
    if shape == "candidates":
        inner = st.one_of(paths, templates, *([st.builds(_from, paths, st.sampled_from(kinds))] if kinds else []))
        return draw(st.lists(inner, min_size=1, max_size=3))
    row = {
        "from": draw(st.one_of(paths, st.lists(paths, min_size=1, max_size=3), st.sampled_from(EXPRESSIONS))),
        **options,
    }
    if "values" in row and draw(st.booleans()):
        row["else"] = draw(st.sampled_from(["keep", "other", None]))
    if kinds and draw(st.booleans()):
        row["as"] = draw(st.sampled_from(kinds))
    return row


TEXTS = ("string", "id", "email", "date", "datetime", "phone")
words_ = st.one_of(
    typed(TEXTS),
    st.builds(lambda row, default: {"from": row, "default": default}, paths, texts),
    st.just({"const": 5}),
    st.just({"const": None}),
)


def _from(path: str, kind: str) -> dict[str, Any]:
    return {"from": path, "as": kind}


templates = st.builds(
    lambda parts, partial: {"template": "".join(parts), **({"partial": True} if partial else {})},
    st.lists(
        st.sampled_from(["{traits.a}", "{b}", " and ", "{{", "{traits.~first_name}", "{named}"]), min_size=1, max_size=4
    ),
    st.booleans(),
)


@st.composite
def objects(draw: Any, depth: int = 2) -> Any:
    """A row that makes an object."""
    forms = ["object", "spread", "spread", "index", "entries", "merge"]
    form = draw(st.sampled_from(forms if depth else forms[:4]))
    if form == "object":
        return {"object": draw(fields(depth)), **draw(object_commons)}
    if form == "spread":
        options = _optional(
            rest=st.booleans(),
            **{"except": st.lists(st.sampled_from(["a", "~first_name", "deep.a", {"from": "named"}]), max_size=2)},
            drop=st.lists(st.sampled_from(["null", "text", "object", "list", "number"]), max_size=2, unique=True),
            keys=st.sampled_from(["keep", "snake", "lower", "upper"]),
            where=st.sampled_from(["key != 'a'", "value", "value == 'x' || key == 'b'"]),
        )
        source = st.sampled_from(["traits", "traits.deep", "a", "named", ["a", "traits"], "items[0]"])
        return {"spread": draw(source), **draw(options), **draw(object_commons)}
    if form == "index":
        source = st.sampled_from(["items", "traits", "traits.list"])
        return {
            "index": draw(source),
            "key": "a",
            "value": draw(st.sampled_from(["b", "email"])),
            "rename": {"x": "renamed", "17": None},
        }
    if form == "entries":
        row = {
            "each": {"i": draw(st.sampled_from(["items", "traits"]))},
            "key": draw(st.sampled_from(["i.a", "i.key"])),
        }
        row |= {
            "value": draw(st.sampled_from(["i.b", "i.value", "i", {"object": {"v": "i.a", "t": "traits.a"}}])),
            "group": draw(st.booleans()),
        }
        return row | draw(_optional(where=st.sampled_from(["i.a", "i.value == 'x'", "length(i)"])))
    return draw(st.lists(objects(0), min_size=1, max_size=3))


@st.composite
def lists(draw: Any) -> Any:
    """A row that makes a list."""
    if draw(st.booleans()):
        return {"list": draw(st.lists(picks(), max_size=3)), **draw(list_commons)}
    mapped = draw(
        st.one_of(
            st.just("i.a"),
            st.just({"k": "i.~first_name", "price": "i.total", "n": {"from": "i.total", "as": "money"}, "e": {"from": "get(i, 'a')"}, "rest": {"spread": "i", "rest": True}}),
            st.builds(lambda row: {"own": "i.b", "other": row}, picks()),
            st.just({"each": {"j": "i.list"}, "map": {"outer": "i.a", "inner": "j"}}),
        )
    )  # fmt: skip
    row = {"each": {"i": draw(st.sampled_from(["items", "traits", "named"]))}, "map": mapped}
    return row | draw(_optional(where=st.sampled_from(["i.a", "i.b == 'x'", "length(i)"]))) | draw(list_commons)


def fields(depth: int) -> st.SearchStrategy[dict[str, Any]]:
    rows = (
        st.one_of(picks(), picks(), lists()) if not depth else st.one_of(picks(), picks(), lists(), objects(depth - 1))
    )
    return st.dictionaries(st.sampled_from(["k1", "k2", "k 3", "{named}", "k{traits.a}"]), rows, min_size=1, max_size=3)


PROFILE: dict[str, st.SearchStrategy[Any]] = {
    "name": words_,
    "email": typed(TEXTS),
    "phone": typed(TEXTS),
    "birthdate": typed(TEXTS),
    "created_at": typed(),
    "gender": words_,
    "address": st.builds(
        lambda city, when: {"object": {"city": city, "line_1": "traits.deep"}, **when}, words_, object_commons
    ),
    "metadata": st.one_of(objects(), objects(), st.just("traits"), st.just({"spread": "traits", "rest": True})),
}


@st.composite
def profiles(draw: Any) -> Any:
    names = draw(st.lists(st.sampled_from([*PROFILE, "metadata", "metadata"]), min_size=1, max_size=6, unique=True))
    return {name: draw(PROFILE[name]) for name in names}


events = st.builds(
    lambda name, rest: {"name": name, **rest},
    st.one_of(picks(), st.just("a")),
    _optional(
        properties=st.one_of(objects(), st.just("traits")),
        occurred_at=picks(),
        code=picks(),
        kind=st.just("type"),
        key=picks(),
    ),
)
orders = st.builds(
    lambda order_id, rest: {"id": order_id, **rest},
    st.one_of(typed(TEXTS), st.just("a")),
    _optional(
        currency=st.just("b"), amount=typed(("money", "integer")), tax=typed(), status=words_, items=lists(), metadata=objects(),
        refund=st.just({"object": {"amount": "total", "id": "a"}}),
    ),
)  # fmt: skip
OUTPUTS: dict[str, st.SearchStrategy[Any]] = {
    "profile": profiles(),
    "event": events,
    "order": orders,
    "identities": st.one_of(_optional(email=typed(TEXTS), anonymous_id=typed(TEXTS)), objects(0)),
    "consents": st.one_of(
        _optional(email=picks()),
        st.just({"each": {"i": "items"}, "map": {"topic": "i.a", "status": "i.b", "at": "timestamp"}}),
        st.just({"each": {"i": "traits"}, "key": {"template": "purpose.{i.key}"}, "value": "i.value"}),
    ),
    "group": st.just({"id": "a", "name": "b", "member": "total"}),
    "audience": st.just({"key": "a", "member": {"from": "b", "as": "boolean"}}),
    "link": st.just({"loser": "a", "survivor": "b"}),
    "erase": st.just({"source_id": "a", "identities": {"email": "email"}}),
}
chosen = st.lists(st.sampled_from(["profile", "event", "order", *OUTPUTS]), min_size=1, max_size=4, unique=True)


@st.composite
def rules(draw: Any, number: int) -> Any:
    rule = {"id": f"rule {number}", **{kind: draw(OUTPUTS[kind]) for kind in draw(chosen)}}
    rule |= draw(
        _optional(
            match=st.sampled_from(
                [
                    {"type": "x"},
                    {"type": ["X", "true"]},
                    {"type": "x"},
                    {"a": [True, 17], "type": "X"},
                    {"traits.a": "x"},
                ]
            ),
            when=st.sampled_from([*CONDITIONS, *["userId", "type == 'x'"] * 8]),
            claims=st.just(["event"]),
            fallback=st.sampled_from(["event", "profile"]),
        )
    )
    if draw(st.integers(0, 3)) == 0:
        rule["each"] = {"it": draw(st.sampled_from(["items", "traits"]))}
        rule["event"] = {"name": ["it.a", "it.key", "a"], "properties": {"spread": "it"}}
    return rule


@st.composite
def documents(draw: Any) -> dict[str, Any]:
    """A whole inbound mapping."""
    count = draw(st.integers(1, 4))
    return {
        "connector": "generated",
        "who": {
            "source_id": draw(st.sampled_from(["userId", ["userId", "a"], {"from": "userId", "blank": ["-"]}])),
            "identities": {"anonymous_id": "b"},
            "missing": draw(st.sampled_from(["ignore", "quarantine", "keep"])),
        },
        "message": {"at": "timestamp", **draw(_optional(test=st.just("a"), replay=typed()))},
        "let": {
            "named": draw(picks()),
            "late": draw(st.sampled_from(["traits.list", "named", {"from": "named", "as": "number"}])),
        },
        **draw(_optional(blank=st.just(["-", "none"]))),
        "rules": [draw(rules(number)) for number in range(count)],
    }


outbound_paths = st.sampled_from(
    ["profile.email", "profile.name", "profile.address.city", "profile.metadata.a", "code.code", "options.base"]
)
outbound_picks = st.one_of(
    outbound_paths,
    st.lists(outbound_paths, min_size=1, max_size=3),
    st.builds(
        lambda path, extra: {"from": path, **extra},
        outbound_paths,
        _optional(when=st.sampled_from(["profile.name", "code"]), default=texts),
    ),
    st.builds(
        _from, outbound_paths, st.sampled_from(["country", "language", "digits", "slug", "major", "string", "number"])
    ),
    st.just({"template": "{profile.name} {code.code}", "partial": True}),
    st.just({"from": "upper(profile.name)"}),
)
outbound_values = st.one_of(
    outbound_picks,
    st.builds(
        lambda inner: {"object": inner}, st.dictionaries(st.sampled_from(["f", "g"]), outbound_picks, min_size=1)
    ),
    st.just({"spread": "profile.metadata"}),
    st.just(
        {
            "each": {"i": "order.items"},
            "map": {"id": "i.id", "p": {"from": "i.price", "as": "major", "currency": "order.currency"}},
        }
    ),
)
outbound_fields = st.one_of(
    st.dictionaries(
        st.sampled_from(["email", "first", "{base}", "{base}_value", "nested"]), outbound_values, min_size=1, max_size=4
    ),
    st.builds(
        lambda inner, spread: [{"object": inner}, spread],
        st.dictionaries(st.sampled_from(["email", "a", "nested"]), outbound_values, min_size=1, max_size=3),
        st.sampled_from(
            [{"spread": "profile.metadata"}, {"spread": "profile.metadata", "keys": "snake", "drop": ["list"]}]
        ),
    ),
)
outbound_documents = st.builds(
    lambda fields, unset, dialect, when: {
        "connector": "generated",
        "let": {"base": ["options.base", {"const": "incentive"}]},
        **({"dialect": dialect} if dialect else {}),
        "profiles": {"unset": unset, "fields": fields},
        "events": {
            "rules": [
                {"id": "some", **when, "name": "event.name", "fields": fields},
                {"id": "rest", "skip": "not for this one"},
            ]
        },
    },
    outbound_fields,
    st.sampled_from([None, "", "list", "omit"]),
    st.sampled_from(
        [{}, {"max_key": 3, "objects": "flatten"}, {"reserved": {"a": "other"}, "lists": "join", "max_text": 5}]
    ),
    _optional(when=st.sampled_from(["event.name", "order.items"]), match=st.just({"event.key": ["x", "17"]})),
)
