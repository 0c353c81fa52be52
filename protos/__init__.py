"""The wire contract, and the code generated from it. Imports nothing of ours."""
