"""How good demand and prices are, for metrics.json: `blocks.evaluate_all` collects what the subpackages measure.

`held_out` scores predictions of held-out choices, `baselines` the models to beat, `demand` an artefact's response to
prices and segments, `profit` what prices earn under a demand, `truth` the profit of price lists under a known truth.
"""
