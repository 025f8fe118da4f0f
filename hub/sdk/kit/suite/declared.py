"""What a connector says about itself, looked at without sending anything."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import jsonschema
from pydantic import BaseModel

from hub.sdk.broker import is_broker_address
from hub.sdk.contract import Connector
from hub.sdk.declared import example_settings, undocumented, validated
from hub.sdk.errors import ConfigurationError
from hub.sdk.kit.bench.bench import make, secrets_of
from hub.sdk.kit.subject import Subject
from hub.sdk.kit.suite.failed import CheckFailed, require
from hub.sdk.values import Operation

IMPURE_MODULES = frozenset(
    [
        "asyncio",
        "ftplib",
        "http",
        "httpx",
        "logging",
        "multiprocessing",
        "os",
        "queue",
        "random",
        "requests",
        "secrets",
        "selectors",
        "smtplib",
        "socket",
        "sqlalchemy",
        "sqlite3",
        "sqlmodel",
        "structlog",
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "time",
        "urllib3",
        "aiohttp",
        "flask",
    ]
)
IMPURE_CALLS = frozenset(
    {"open", "print", "input", "exec", "eval", "now", "utcnow", "today", "uuid1", "uuid4", "urlopen"}
)
ALLOWED_HUB = "hub.sdk"


def _classes(subject: Subject) -> list[type[Connector]]:
    return [one for one in (subject.source_class, subject.destination_class) if one is not None]


def _models(subject: Subject) -> list[type[BaseModel]]:
    models = [one.Settings for one in _classes(subject)]
    return [*models, *(subject.destination_class.Options.values() if subject.destination_class else ())]


def name_equals_folder(subject: Subject) -> None:
    for one in _classes(subject):
        require(
            one.name == subject.folder.name,
            f"{one.__name__}.name is {one.name!r}, its folder is {subject.folder.name!r}",
        )
        require(one.title.strip(), f"{one.__name__} needs a title, the name that people read")


def settings_are_documented(subject: Subject) -> None:
    problems = [sentence for model in _models(subject) for sentence in undocumented(model)]
    require(not problems, "; ".join(dict.fromkeys(problems)))


def examples_are_valid(subject: Subject) -> None:
    for model in _models(subject):
        try:
            validated(model, example_settings(model), f"of {model.__name__}'s own examples")
        except ConfigurationError as error:
            raise CheckFailed(str(error)) from None


def page_exists(subject: Subject) -> None:
    require(
        subject.docs_path is not None,
        "there is no page for operators: docs/connectors/<name>.md, or README.md in the folder",
    )
    assert subject.docs_path is not None
    text = subject.docs_path.read_text("utf-8")
    missing = sorted({name for model in _models(subject) for name in model.model_fields if f"`{name}`" not in text})
    require(not missing, f"{subject.docs_path.name} does not explain {', '.join(missing)}")


def does_no_io(subject: Subject) -> None:
    found = [
        f"{file.name}:{line} uses {what}"
        for file in sorted(subject.folder.rglob("*.py"))
        if file.name != "simulator.py" and not file.name.startswith("test_")
        for line, what in _impurities(file)
        if file.name == "connector.py" or _is_imported(subject.folder, file)
    ]
    require(not found, "a connector does no I/O and reads no clock: " + "; ".join(found))


def _is_imported(folder: Path, file: Path) -> bool:
    """Whether connector.py needs this module, directly or through another; what only the simulator needs is free."""
    wanted = {"connector"}
    grew = True
    while grew:
        texts = [path.read_text("utf-8") for name in sorted(wanted) if (path := folder / f"{name}.py").is_file()]
        named = {module.rpartition(".")[2] for text in texts for module in _imports(ast.parse(text))}
        grew = not named <= wanted
        wanted |= named
    return file.stem in wanted


def _imports(tree: ast.AST) -> list[str]:
    modules: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules += [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules += [node.module, *(f"{node.module}.{one.name}" for one in node.names)]
    return modules


def _impurities(file: Path) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names]
            found += [(node.lineno, module) for module in modules if _is_forbidden(module)]
        elif isinstance(node, ast.Call):
            called: Any = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in IMPURE_CALLS:
                found.append((node.lineno, f"{name}()"))
    return found


def _is_forbidden(module: str) -> bool:
    if module in ("hub", "urllib.request") or (
        module.startswith("hub.") and not f"{module}.".startswith(f"{ALLOWED_HUB}.")
    ):
        return True
    return module.partition(".")[0] in IMPURE_MODULES


# ── destinations ─────────────────────────────────────────────────────────────────────────────────────────────────


def has_a_simulator(subject: Subject) -> None:
    require(subject.simulator_class is not None, "its folder has no simulator.py with a Simulator")
    assert subject.simulator_class is not None
    assert subject.destination_class is not None
    without = [
        one.value for one in subject.destination_class.Options if one not in subject.simulator_class.example_fields
    ]
    require(not without, f"{subject.simulator_class.__name__}.example_fields lacks {', '.join(without)}")


def operations_are_declared(subject: Subject) -> None:
    destination, _, _ = make(subject)
    require(destination.Options, "Options is empty; its keys are the operations this destination has")
    unknown = [one for one in [*destination.Options, *destination.targets] if one not in list(Operation)]
    require(not unknown, f"{unknown} are not operations")
    more = sorted(set(destination.targets) - set(destination.Options))
    require(not more, f"targets are declared for {', '.join(more)}, which Options does not have")
    for operation, schema in destination.targets.items():
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as error:
            raise CheckFailed(f"the targets of {operation} are not JSON Schema: {error.message}") from None


def limits_name_their_source(subject: Subject) -> None:
    destination, _, _ = make(subject)
    routes, pools = destination.routes(), destination.pools()
    require(routes, "there is no route")
    sources = {
        **{name: route.source for name, route in routes.items()},
        **{name: pool.source for name, pool in pools.items()},
    }
    silent = [name for name, source in sources.items() if not source.strip()]
    require(not silent, f"these routes and pools do not name the vendor's page: {', '.join(silent)}")
    for name, route in routes.items():
        unknown = [pool for pool in route.pools if pool not in pools]
        require(not unknown, f"the route {name} draws on unknown pools: {', '.join(unknown)}")
        require(
            route.items >= 1 and route.timeout_s > 0, f"the route {name} must take one item and wait more than no time"
        )
        require(route.bulk_of is None or route.bulk_of in routes, f"the route {name} is bulk of an unknown route")


def hosts_and_credentials_agree(subject: Subject) -> None:
    destination, simulator, _ = make(subject)
    hosts = destination.hosts()
    require(hosts, "there is no host")
    broker = destination.broker()
    require(
        broker is None or is_broker_address(hosts.get(broker.host, "")), "the broker names a host with no such address"
    )
    clusters = [broker.host] if broker is not None else []
    wrong = [url for name, url in hosts.items() if name not in clusters and not url.startswith(("https://", "http://"))]
    require(not wrong, f"these hosts have no http or https URL: {', '.join(wrong)}")
    strangers = sorted(set(destination.auth()) - set(hosts))
    require(not strangers, f"credentials are declared for unknown hosts: {', '.join(strangers)}")
    missing = sorted(set(hosts) ^ set(simulator.hosts))
    require(not missing, f"hosts and the simulator's hosts differ: {', '.join(missing)}")


def declarations_hide_secrets(subject: Subject) -> None:
    """The account and the pools go to logs and metrics, the instance to tracebacks."""
    destination, _, _ = make(subject)
    said = {
        "repr of the connector": repr(destination),
        "repr of its settings": repr(destination.settings),
        "repr of its credentials": repr(destination.auth()),
        "account": destination.account(),
        "hosts": repr(destination.hosts()),
        "routes and pools": repr((destination.routes(), destination.pools())),
    }
    leaks = [where for where, text in said.items() for value in secrets_of(subject) if value in text]
    require(not leaks, f"a secret shows in: {', '.join(leaks)}")
