"""The SQL that lets a user make tables in a database that is another's."""

from __future__ import annotations

# From it on nobody but a database's owner may create anything in its schema public.
CLOSED_SINCE = 15


def write_grants(user: str) -> str:
    """What the owner runs, in each database that the user is to work in."""
    name = '"' + user.replace('"', '""') + '"'
    return (
        f"GRANT ALL ON SCHEMA public TO {name};\n"
        f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {name};\n"
        f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {name};\n"
    )
