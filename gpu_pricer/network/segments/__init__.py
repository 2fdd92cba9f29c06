"""Segments of users: formed as latent classes, numbered, and exported as the demand artefact that `score` prices.

Members computes the demand of every user at one point of the market; segment_moments turns it into segments whose
purchase shares and own-price slopes are their members' means.
"""
