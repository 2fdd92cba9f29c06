"""Prices of periods in which a product had no sale that shows them: which cuts are likely, and what their use costs."""
