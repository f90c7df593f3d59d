"""``python -m poolkeeper``: the same as the command."""

from poolkeeper.cli.main import main

if __name__ == "__main__":
    main()
