"""Predictions of choices that training never saw: their scores, and how far these could be luck."""
