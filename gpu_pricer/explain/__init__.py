"""Why one published price is what it is."""
