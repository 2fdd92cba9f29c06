"""The demand artefact: a directory that any demand model may write and any pricer may read.

It holds demand.json, factors.safetensors, segments.parquet, products.parquet and, optionally, offsets.parquet,
user_segments.parquet, posterior.parquet and categories.parquet. The rows of segments and products are in the order of
the factors' rows.
The folder network/ holds the network that the artefact was exported from, if there is one; `score` never reads it.

`demand_info` is the content of demand.json, `demand_tables` the tables' schemas, `demand_artefact` all of it in memory,
`artefact_files` the directory, `moved_users` the users whose segments differ between two artefacts, `sales_age` how old
its sales are when prices are set.
"""

from gpu_pricer.tables.artefact.artefact_files import (
    ARTEFACT_FILES,
    NETWORK,
    read_artefact,
    read_segments,
    read_support,
    require_artefact,
    write_artefact,
)
from gpu_pricer.tables.artefact.demand_artefact import LARGEST, DemandArtefact
from gpu_pricer.tables.artefact.demand_info import FORMAT_VERSION, FORMS, DemandInfo, read_info
from gpu_pricer.tables.artefact.demand_tables import DemandProducts
from gpu_pricer.tables.artefact.moved_users import moved_users
from gpu_pricer.tables.artefact.sales_age import SalesAge, sales_age

__all__ = [
    "ARTEFACT_FILES",
    "FORMAT_VERSION",
    "FORMS",
    "LARGEST",
    "NETWORK",
    "DemandArtefact",
    "DemandInfo",
    "DemandProducts",
    "SalesAge",
    "moved_users",
    "read_artefact",
    "read_info",
    "read_segments",
    "read_support",
    "require_artefact",
    "sales_age",
    "write_artefact",
]
