"""A problem in arrays: the nodes' table, a call's filters and costs, a batch and its order."""
