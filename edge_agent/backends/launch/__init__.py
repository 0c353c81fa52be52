"""Starting what is not a module: processes and containers, through a keeper that outlives nothing."""
