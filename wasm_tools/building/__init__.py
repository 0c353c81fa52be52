"""What builds the modules from their sources, and checks that these are what they come from."""
