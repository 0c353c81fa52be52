"""Labels that follow data: what private calls gave is known again in later arguments."""
