"""What a demand artefact says: elasticities, response curves, and what its segments are worth."""
