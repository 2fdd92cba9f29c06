"""How segments respond to prices, from what they bought: corrected for endogeneity, with its uncertainty."""
