"""What prices earn under a demand, and the best ones that a search over every legal price finds."""
