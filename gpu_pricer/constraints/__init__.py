"""Constraints on sums over the assortment: their multipliers, the prices these lead to, and the proof."""
