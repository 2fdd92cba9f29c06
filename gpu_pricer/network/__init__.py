"""The demand network: towers, multinomial-logit likelihood, training, segments and export."""
