"""The demand network: its architecture, its likelihood, and the objective that training maximises.

DemandNetwork maps a batch of choices to utilities. Appeal and price sensitivity are inner products of vectors from
towers (towers.py) and an encoder of what users did before (history_encoder.py).
"""
