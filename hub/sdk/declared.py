"""Declared once, used everywhere: what a connector's Settings and Options say about themselves.

Validation, examples, masking and documentation all derive from the pydantic model; a secret is a field of type
SecretStr (alone, optional, or in a list).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, SecretStr, ValidationError

from hub.sdk.contract import Connector, Destination
from hub.sdk.errors import ConfigurationError

C = TypeVar("C", bound=Connector)
MASK = "***"


def build(connector: type[C], settings: Mapping[str, Any], secrets: Mapping[str, Any]) -> C:
    """A connector from its settings. Raises ConfigurationError with a sentence per field, never showing a secret."""
    return connector(validated(connector.Settings, {**settings, **secrets}, f"of {connector.title}"))


def validated(model: type[BaseModel], values: Mapping[str, Any], whose: str = "") -> BaseModel:
    """The model made of these values. Raises ConfigurationError as `build` does."""
    unknown = [name for name in values if name not in model.model_fields]
    sentences = [_unknown(name, model) for name in unknown]
    try:
        made = model.model_validate({name: value for name, value in values.items() if name not in unknown})
    except ValidationError as error:
        hidden = _revealed(values[name] for name in secret_fields(model) & set(values))
        sentences += [_sentence(problem, hidden) for problem in error.errors(include_input=False, include_url=False)]
        raise ConfigurationError(_together(sentences, whose)) from None  # the cause would show the values
    if sentences:
        raise ConfigurationError(_together(sentences, whose))
    return made


def secret_fields(model: type[BaseModel]) -> frozenset[str]:
    """Names of the fields that hold secrets."""
    return frozenset({name for name, field in model.model_fields.items() if _is_secret(field.annotation)})


def example_settings(model: type[BaseModel]) -> dict[str, Any]:
    """A value per field: its first example, else its default. Good enough to build a connector for a preview."""
    values = {}
    for name, field in model.model_fields.items():
        if field.examples:
            values[name] = field.examples[0]
        elif not field.is_required():
            values[name] = field.get_default(call_default_factory=True, validated_data={})
    return values


def undocumented(model: type[BaseModel]) -> list[str]:
    """Fields that lack a description or an example, as sentences."""
    found = []
    for name, field in model.model_fields.items():
        missing = [
            word for word, value in (("description", field.description), ("example", field.examples)) if not value
        ]
        if missing:
            found.append(f"{model.__name__}.{name} has no {' and no '.join(missing)}")
    return found


def redirected(destination: Destination, hosts: Mapping[str, str]) -> dict[str, str]:
    """The hosts of a destination with some of them redirected. Raises ConfigurationError for a host it has not."""
    own = dict(destination.hosts())
    for name in hosts:
        if name not in own:
            raise ConfigurationError(f"{destination.title} has no host {name!r}; its hosts are {', '.join(own)}.")
    return {**own, **hosts}


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(_is_secret(part) for part in get_args(annotation))


def _unknown(name: str, model: type[BaseModel]) -> str:
    return f"there is no setting {name!r}; known are {', '.join(model.model_fields) or 'none'}"


def _sentence(problem: Any, hidden: Iterable[str]) -> str:
    where = ".".join(str(part) for part in problem["loc"]) or "the settings together"
    if problem["type"] == "missing":
        return f"{where} is missing"
    said = str(problem["msg"])
    for value in hidden:
        said = said.replace(value, MASK)
    return f"{where}: {said[:1].lower()}{said[1:]}"


def _revealed(values: Iterable[Any]) -> list[str]:
    """The texts that no error may repeat."""
    texts: list[str] = []
    for value in values:
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        if isinstance(value, list | tuple):
            texts += _revealed(value)
        elif isinstance(value, str) and value:
            texts.append(value)
    return texts


def _together(sentences: list[str], whose: str) -> str:
    return f"The settings {whose} are not usable: {'; '.join(sentences)}.".replace("  ", " ")
