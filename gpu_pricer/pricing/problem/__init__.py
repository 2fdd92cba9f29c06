"""A catalog, a demand and a policy as one pricing problem: who is priced, by which demand, within which prices."""
