"""The canonical tables as tensors, which is what the network reads.

ChoiceData holds the shelf, the choice sets, the choices made from them, and what users did before each period.
load_choice_data reads it from the tables that `prepare` wrote; gather_batch cuts batches of choices from it.
"""
