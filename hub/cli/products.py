"""Commands for the catalogue of products; `hub import products` fills it."""

from __future__ import annotations

import click

from hub.cli.support import as_json, open_hub, print_fields, print_rows
from hub.core.database import read
from hub.profiles import products as catalogue
from hub.sdk.errors import ConfigurationError

EMPTY = "No product from there on; `hub import products FILE` fills the catalogue."
COLUMNS = ["product_id", "name", "sku", "price", "currency"]


@click.group()
def products() -> None:
    """What is known of products: it completes the items of orders."""


@products.command("list")
@click.option("--after", default="", help="Begin behind this product_id.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@as_json
def list_(after: str, limit: int, json_: bool) -> None:
    """List products in the order of their ids."""
    with read(open_hub().engine) as database:
        rows = catalogue.page(database, after, limit)
    print_rows(rows, COLUMNS, empty=EMPTY, json_=json_)


@products.command()
@click.argument("product_id")
@as_json
def show(product_id: str, json_: bool) -> None:
    """Show one product."""
    with read(open_hub().engine) as database:
        found = catalogue.products(database, [product_id])
    if product_id not in found:
        raise ConfigurationError(f"There is no product {product_id!r} in the catalogue.")
    print_fields(found[product_id], json_=json_)
