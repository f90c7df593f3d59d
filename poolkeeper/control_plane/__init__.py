"""The control plane as a process: its parts put together, started, found again, stopped."""
