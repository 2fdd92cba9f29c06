"""The figures of the report, before they become words, charts or rows of a table: one module for each subject."""
