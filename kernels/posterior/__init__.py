"""Prices, choices and intervals where the price sensitivity is known as posterior draws; on the CPU, in float64.

`draws` holds the draws, `category_draws` the mathematics of one category, `one_price` that of one product's price,
`price_search` the search for a category's prices, `outcomes` what prices lead to, `tile_loop` the loop over categories
and segments, and `pricing` the public functions.
"""
