"""What was on offer in each period and at which price, and which products are no longer sold."""
