"""Tuning: trials in folders of their own, the objective that ranks them, and the search that draws them.

A sweep (gpu-pricer JOB -m) and `gpu-pricer tune` leave the same files, trial.json and a ranking.
"""
