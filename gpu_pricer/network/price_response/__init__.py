"""The price response of products and users, brought to its optimum given the tastes, and what is uncertain of it."""
