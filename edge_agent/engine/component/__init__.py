"""Components, and what WASI gives them."""
