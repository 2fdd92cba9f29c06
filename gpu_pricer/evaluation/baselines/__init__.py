"""The models that a demand network must beat, each behind one interface."""
