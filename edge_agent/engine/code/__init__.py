"""From a file of Wasm to code that can be started: read, compiled, kept, loaded."""
