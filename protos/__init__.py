"""The contract between agents and dispatchers, and the code generated from it. Imports nothing of ours."""
