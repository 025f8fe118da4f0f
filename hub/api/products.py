"""/hub/v1/products: the catalogue that imports of products fill."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from hub.api.body import expect_query, limit
from hub.api.errors import not_found
from hub.api.services import services
from hub.core.database import read
from hub.profiles.products import page
from hub.profiles.products import products as known

products = Blueprint("products", __name__, url_prefix="/hub/v1/products")


@products.get("")
def list_() -> Response:
    """?limit=&after=: products in the order of their ids, behind the one named."""
    expect_query("limit", "after")
    with read(services().engine) as database:
        return jsonify(products=page(database, request.args.get("after", ""), limit()))


@products.get("/<text:product_id>")
def show(product_id: str) -> Response:
    """One product."""
    expect_query()
    with read(services().engine) as database:
        found = known(database, [product_id])
    if product_id not in found:
        raise not_found("product", product_id)
    return jsonify(found[product_id])
