"""One file per noun or verb of the command line; each is imported when it is used."""
