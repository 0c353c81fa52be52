"""The Wasm engine: modules kept by digest, one fresh instance per call."""
