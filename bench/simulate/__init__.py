"""A discrete-event simulator around the real solver: thousands of nodes, tens of thousands of calls.

Every placement is made by ``solver`` itself (:class:`solver.NodeTable`, ``place_one``,
``place_batch`` or a baseline); the nodes, the network, time and failures are simulated.
"""
