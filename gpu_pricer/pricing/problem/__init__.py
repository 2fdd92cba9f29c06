"""A catalog, a demand artefact and a policy as one PricingProblem.

The problem says which products are priced, by which demand, for which segments, and within which prices.
"""
