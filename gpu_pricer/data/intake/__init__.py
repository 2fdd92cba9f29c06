"""Intake: what the user's own files hold, found from their names and cells, and written as a configuration.

`found_file` looks at one file, `matching` takes files for tables and columns for the contract's, `questions` holds what
only the user can tell, `keys` compares the ids of the tables, and `written` writes the configuration.
"""
