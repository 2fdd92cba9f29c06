"""Data: from raw tables to the canonical ones that training and scoring read."""
