"""Inference with a trained network, on periods, products and users that training never saw.

predict_offers serves the job `predict`, segment_assignment.py the job `assign`, and predict_held_out writes the
predictions that `evaluate` judges.
"""
