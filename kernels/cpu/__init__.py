"""The CPU loop over a tile: workers over (category, block of segments), vectors over the segments of a block."""
