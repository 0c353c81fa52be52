"""A discrete-event simulator around the real scheduler: thousands of nodes, very many calls.

Every placement is made by :class:`dispatcher.placement.scheduler.Scheduler` with its registry, policy,
profiles and guard; the nodes, the network, time and failures are simulated.
"""
