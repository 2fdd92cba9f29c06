"""A zoo of synthetic markets whose truth is known, to judge a demand estimator on data that nobody tuned it for.

Every family is a function of a seed alone and makes one point, which its docstring states. The seeds in SEEDS judge;
whatever is tuned is tuned on seeds from 101 up. The families in `reserved` are for the last judgement only.
"""

SEEDS = (1, 2, 3, 4, 5)
