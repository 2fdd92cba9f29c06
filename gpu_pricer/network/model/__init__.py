"""The demand network: towers, history encoder and the multinomial-logit likelihood."""
