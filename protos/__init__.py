"""The contract between agents and dispatchers: messages, the code made of them, bounds and keys."""
