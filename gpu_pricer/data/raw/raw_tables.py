"""The raw tables, by the names of their files."""

import dataframely as dy

from gpu_pricer.tables.schemas import Context, GroupPrices, Offers, Products, Transactions, Users

SCHEMAS: dict[str, type[dy.Schema]] = {
    "products": Products,
    "users": Users,
    "transactions": Transactions,
    "offers": Offers,
    "context": Context,
    "group_prices": GroupPrices,
}
LISTED = ("transactions", "offers", "products")
"""The tables with list prices."""
DESCRIBED = ("products", "users")  # whose further columns are attributes
LINES = ("transactions", "offers")
"""The tables that grow with every day."""
