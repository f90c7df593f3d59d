"""What is wanted and what was seen, kept safely. The only code that knows SQL."""
