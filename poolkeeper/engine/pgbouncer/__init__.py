"""PgBouncer: its files, its console, its processes."""
