"""One file a revision. They are history: what has been released does not change."""
