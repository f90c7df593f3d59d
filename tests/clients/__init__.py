"""DigitalOcean's own clients against a running Poolkeeper, unmodified."""
