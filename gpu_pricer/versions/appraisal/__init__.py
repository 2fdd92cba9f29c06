"""The appraisal of a version: what it may earn, what that rests on, and what the sales say against its prices."""
