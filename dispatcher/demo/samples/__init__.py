"""What the demo's scenarios work on, made anew on each run; nothing is downloaded."""
