"""Every table as a class: `input_tables` that a user brings, and `canonical_tables` that `prepare` writes.

`columns` holds the kinds of columns and the rules of both.
"""

from gpu_pricer.tables.schemas.canonical_tables import (
    CHOICE_COUNT,
    COST_SHIFTERS,
    COST_SOURCES,
    PROMOTIONS,
    UNIT_COUNT,
    BegunCategories,
    Catalog,
    Categories,
    Choices,
    Sales,
    Shelf,
    Shoppers,
    Visits,
    category_key,
    has_unit_price,
)
from gpu_pricer.tables.schemas.columns import STRUCTURAL_RULES
from gpu_pricer.tables.schemas.input_tables import (
    Context,
    Events,
    LinesToAssign,
    Offers,
    OffersToPredict,
    Products,
    Transactions,
    Users,
)

__all__ = [
    "CHOICE_COUNT",
    "COST_SHIFTERS",
    "COST_SOURCES",
    "PROMOTIONS",
    "STRUCTURAL_RULES",
    "UNIT_COUNT",
    "BegunCategories",
    "Catalog",
    "Categories",
    "Choices",
    "Context",
    "Events",
    "LinesToAssign",
    "Offers",
    "OffersToPredict",
    "Products",
    "Sales",
    "Shelf",
    "Shoppers",
    "Transactions",
    "Users",
    "Visits",
    "category_key",
    "has_unit_price",
]
