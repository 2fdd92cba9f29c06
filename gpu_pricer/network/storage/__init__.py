"""A trained network as files, and the transfer of its parameters to another network."""
