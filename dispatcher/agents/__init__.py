"""The agents that are attached: their streams, their tokens, what is said to them."""
