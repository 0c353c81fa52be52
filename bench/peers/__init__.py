"""What a benchmark compares with: the same tool without Sanderling."""
