"""Why a call runs where it does, or nowhere, and the smallest change that would let it run."""
