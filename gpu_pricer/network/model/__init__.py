"""The demand network: its architecture, its likelihood, and the objective that training maximises.

DemandNetwork maps a batch of choices to utilities: those of the average household, to which loyalty (loyalty.py),
vectors of products and users (towers.py) and an encoder of what users did before (history_encoder.py) add what makes a
user different.
"""
