"""One scored version of the price table: a folder of files, its record and seal, and what people decided about it."""
