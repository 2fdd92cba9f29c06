"""The raw tables: they are typed, each row is judged by the rules of its table, and `inputs` returns the valid rows."""
