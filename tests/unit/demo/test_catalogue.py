from __future__ import annotations

import pytest

from stream.demo.catalogue import Catalogue, readable_name
from stream.demo.household_orders import Description, Purchases


@pytest.mark.parametrize(
    ("about", "name"),
    [
        (
            Description("GROCERY", "Private", "FLUID MILK PRODUCTS", "FLUID MILK WHITE  ONLY", ""),
            "Fluid milk white only (own brand)",
        ),
        (Description("MEAT", "National", "BEEF", "LEAN", ""), "Beef: lean"),
        (
            Description("GROCERY", "National", "CHEESE", "CREAM CHEESE", "L      8 OZ"),
            "Cream cheese, L 8 OZ",
        ),
        (Description("", "", "", "", ""), "Product 12"),
    ],
)
def test_name_can_be_read(about: Description, name: str) -> None:
    assert readable_name(12, about) == name


def test_catalogue_holds_the_most_bought_first(purchases: Purchases, catalogue: Catalogue) -> None:
    buyers = {
        product_id: len(set(purchases.household_id[purchases.product_id == product_id].tolist()))
        for product_id in catalogue.products
    }

    assert len(catalogue.products) == 30
    assert list(buyers.values()) == sorted(buyers.values(), reverse=True)


def test_mean_sales_count_every_unit(purchases: Purchases, catalogue: Catalogue) -> None:
    product = next(iter(catalogue.products.values()))
    units = purchases.quantity[purchases.product_id == product.product_id].sum()

    assert product.units_a_day == pytest.approx(units / len(set(purchases.days().tolist())))


def test_alike_products_share_the_category(catalogue: Catalogue) -> None:
    categories = {catalogue.products[other].category for other in catalogue.alike(25)}

    assert categories == {"CHEESE"}


def test_unknown_product_is_like_popular_ones(catalogue: Catalogue) -> None:
    assert list(catalogue.alike(999_999)) == list(catalogue.products)
