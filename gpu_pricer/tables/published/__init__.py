"""The published price table: a Delta table of versions, in a folder or an object store, and what it promised."""
