"""Batches under rules that tie calls together: spread, anti-affinity, budgets, deadlines."""
