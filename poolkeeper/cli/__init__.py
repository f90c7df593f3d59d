"""The command line: an HTTP client of the API, and verbs that start and stop Poolkeeper here."""
