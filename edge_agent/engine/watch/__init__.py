"""What a call takes while it runs, and ending it where it takes too much."""
