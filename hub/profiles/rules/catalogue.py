"""What the catalogue adds to the items of orders, pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hub.mapping.model import REMOVED
from hub.profiles.rules.stamps import Document, value_of

METADATA: Final = "metadata."
KEYS: Final = ("product_id", "sku")  # by which an item finds its product, the first that it has
TAKEN: Final = ("name", "sku")  # what an item takes from it beside metadata; its price was that of the order


def public_product(product_id: str, document: Document) -> dict[str, Any]:
    """A product's public JSON: {product_id, name, sku, price, currency, image_url, attributes, metadata}."""
    values = {name: value for name in sorted(document) if (value := value_of(document[name])) is not REMOVED}
    own = {name: value for name, value in values.items() if not name.startswith(METADATA)}
    metadata = {name[len(METADATA) :]: value for name, value in values.items() if name.startswith(METADATA)}
    return {"product_id": product_id, **own, "metadata": metadata}


def product_ids_of(items: object) -> set[str]:
    """The product ids that the items of an order may be known by."""
    found = items if isinstance(items, list) else ()
    return {key for item in found if isinstance(item, dict) and (key := _key(item))}


def completed(items: Sequence[Any], products: Mapping[str, Mapping[str, Any]]) -> list[Any]:
    """The items with what the catalogue knows of them and they do not say themselves."""
    return [_completed(item, products.get(_key(item))) if isinstance(item, dict) else item for item in items]


def _completed(item: dict[str, Any], product: Mapping[str, Any] | None) -> dict[str, Any]:
    if product is None:
        return item
    taken = {name: product[name] for name in TAKEN if name in product}
    image = {"image_url": product["image_url"]} if "image_url" in product else {}
    metadata = image | dict(product["metadata"]) | dict(item.get("metadata") or {})
    return {**taken, **item, **({"metadata": metadata} if metadata else {})}


def _key(item: Mapping[str, Any]) -> str:
    return next((str(item[name]) for name in KEYS if item.get(name)), "")
