"""How long a call goes on after it was cancelled."""
