"""What jobs show on a terminal when they end: summaries, scores and comparisons as tables."""
