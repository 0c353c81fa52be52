"""What a call waits for beside its answer: its client, its module, a node that comes back."""
