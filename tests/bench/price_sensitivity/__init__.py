"""Are learned price sensitivities those of the buyers? Judged on weeks and by regressions that the model never saw.

`thirds` asks whether users said to be sensitive answer cuts more, `calibration` whether predictions hold where prices
move, `regression` what a category's own log says; `python -m tests.bench.price_sensitivity` prints all three.
"""
