"""A trained network as files, and the transfer of its parameters to another network.

Every row of a parameter carries a label (a product, user or word), so that a network of other tables can
take the rows that it shares.
"""
