"""The HTTP API: ``/v2`` is DigitalOcean's, ``/v1`` our own. It records what is wanted, no more."""
