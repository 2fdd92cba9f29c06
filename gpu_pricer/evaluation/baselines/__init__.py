"""The models that the demand network must beat, one file for each.

`baseline` is their interface; `judging` fits them and scores them on the network's held-out offers.
"""
