"""Writes docs/connectors/matrix.md from the connectors: `python -m tests.docs.matrix`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hub.registry.discovery import Found, discover
from hub.sdk.contract import Destination
from hub.sdk.declared import build, example_settings
from hub.sdk.values import Auth, Operation, Pool, Route

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "connectors" / "matrix.md"
REPEAT = {"safe": "safe", "deduplicated": "deduplicated", "duplicates": "a second effect"}


def matrix() -> str:
    """The whole page. Settings that must be given are the connectors' examples."""
    found = [one for one in discover().values() if one.origin == "bundled" and not one.error]
    destinations = [(one, _built(one)) for one in found if one.destination_class is not None]
    return "\n".join(
        [
            "# What each connector does",
            "",
            "Generated from the code by `python -m tests.docs.matrix`; a test keeps it true. Names lead to the page of a",
            "connector, endpoints to the vendor's page that states their limits.",
            *_operations(destinations),
            *_sources([one for one in found if one.source_class is not None]),
            *_routes(destinations),
            "",
        ]
    )


def _built(found: Found) -> Destination:
    assert found.destination_class is not None
    return build(found.destination_class, example_settings(found.destination_class.Settings), {})


def _operations(destinations: Sequence[tuple[Found, Destination]]) -> list[str]:
    names = [one.value for one in Operation]
    rows = ["", "## Destinations", "", *_head(["destination", *names, "bulk calls", "credentials"])]
    for found, destination in destinations:
        has = ["yes" if one in destination.Options else "no" for one in Operation]
        bulk = "yes" if any(_is_bulk(route) for route in destination.routes().values()) else "no"
        rows.append(_row([_page(found), *has, bulk, _credentials(destination.auth())]))
    return rows


def _is_bulk(route: Route) -> bool:
    """Whether one call carries more than one record."""
    return route.items > 1


def _credentials(auth: Mapping[str, Auth]) -> str:
    """`Bearer`, `Basic`, `header X-Api-Key`, `client credentials`; none where a signature or nothing stands in."""
    return ", ".join(dict.fromkeys(_kind(one) for one in auth.values())) or "in the request, or none"


def _kind(auth: Auth) -> str:
    words = {"Bearer": "Bearer token", "Basic": "HTTP Basic", "ClientCredentials": "OAuth client credentials"}
    return words.get(type(auth).__name__) or f"header `{getattr(auth, 'name', '')}`"


def _sources(found: Sequence[Found]) -> list[str]:
    rows = ["", "## Sources", "", *_head(["source", "settings"])]
    for one in found:
        assert one.source_class is not None
        rows.append(_row([_page(one), ", ".join(f"`{name}`" for name in one.source_class.Settings.model_fields)]))
    return rows


def _routes(destinations: Sequence[tuple[Found, Destination]]) -> list[str]:
    rows = [
        "",
        "## Endpoints and limits",
        "",
        "*Records* and *bytes* are of one call. *Repeated* says what the same call twice does: `safe` changes nothing more,",
        "`deduplicated` is dropped by the vendor, in the given time if there is one, anything else is a second effect. The",
        "hub repeats a call whose answer was lost only where that does no harm.",
    ]
    for found, destination in destinations:
        rows += ["", f"### {found.title}", "", *_head(["endpoint", "records", "bytes", "rates", "repeated", "bulk of"])]
        pools = destination.pools()
        for name, route in destination.routes().items():
            rows.append(_row([_linked(name, route.source), *_limits(route, pools)]))
    return rows


def _limits(route: Route, pools: Mapping[str, Pool]) -> list[str]:
    repeat = REPEAT[route.repeat]
    if route.repeat_window_s is not None:
        repeat += f" for {_duration(route.repeat_window_s)}"
    rates = "; ".join(dict.fromkeys(_rates(pools[name]) for name in route.pools if name in pools))
    bulk = f"`{route.bulk_of}` from {route.bulk_from}" if route.bulk_of else ""
    return [f"{route.items:,}", f"{route.bytes:,}" if route.bytes else "", rates, repeat, bulk]


def _rates(pool: Pool) -> str:
    units = {"call": "calls", "item": "records", "profile": "profiles"}
    told = [f"{rate.count:,} {units[rate.unit]} in {_duration(rate.per_s)}" for rate in pool.rates]
    if pool.parallel:
        told.append(f"{pool.parallel} at once")
    return ", ".join(told)


def _duration(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"


def _page(found: Found) -> str:
    return f"[{found.title}]({found.name}.md)" if (PAGE.parent / f"{found.name}.md").is_file() else found.title


def _linked(name: str, source: str) -> str:
    return f"[{name}]({source})" if source.startswith("http") and " " not in source else f"{name} ({source})"


def _head(names: Sequence[str]) -> list[str]:
    return [_row(names), _row(["---"] * len(names))]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(one.replace('|', '/') for one in cells)} |"


if __name__ == "__main__":
    PAGE.write_text(matrix(), "utf-8")
