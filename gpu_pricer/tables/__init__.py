"""Tables: what a row must be, how tables are read, checked and written."""
