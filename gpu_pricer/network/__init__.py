"""The demand network: from the canonical tables to the demand artefact, and predictions for new tables.

Each package imports only those before it: encoding, model, response, segments, storage, and
on top training and inference.
"""
