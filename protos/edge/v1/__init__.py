"""Version 1 of the wire: `edge.proto` and `artifacts.proto`."""
