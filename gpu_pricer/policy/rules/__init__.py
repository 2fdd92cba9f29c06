"""What a price may be: bounds, conditions, ladders and prices set by hand, and which of them wins."""
