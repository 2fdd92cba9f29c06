"""One tile of the table: its cells priced, and what is told of them."""
