"""Version 1 of the contract: `edge.proto` and `artifacts.proto`."""
