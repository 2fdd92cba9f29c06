"""One self-contained HTML page on a scored version of the price table, for the people who decide about it."""
