"""What the response is fitted to: a dense grid of products and periods, with the controls for endogenous prices."""
