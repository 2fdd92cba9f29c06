"""Four published panels of households' choices as markets for our commands: Yogurt, Cracker, Ketchup, Tuna (Ecdat).

`panel` and `loading` make the raw tables, `history`, `trees` and `logits` the rivals with the same information, `ours`
runs our commands, `scores` compares them, and `python -m tests.bench.panels` prints the comparison.
"""
