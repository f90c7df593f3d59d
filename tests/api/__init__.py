"""The API over a real store; only the reconciler is a stand-in."""
