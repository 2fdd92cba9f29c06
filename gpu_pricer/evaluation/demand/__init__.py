"""What a demand artefact says: elasticities, response curves, and the value of its segments.

`catalog_demand` puts an artefact on a catalog at today's prices; `observed_elasticity` compares it with the log by
`category_regression`.
"""

from gpu_pricer.evaluation.demand.catalog_demand import CatalogDemand

__all__ = ["CatalogDemand"]
