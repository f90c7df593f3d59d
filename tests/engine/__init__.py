"""The engine against the real thing: processes, files, PostgreSQL."""
