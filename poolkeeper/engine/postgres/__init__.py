"""PostgreSQL: its programs, its files, its process, its roles and databases."""
