"""What outlives the dispatcher: known nodes, calls made, learned profiles.

``base`` is the interface, ``sqlite`` the embedded default.
"""
