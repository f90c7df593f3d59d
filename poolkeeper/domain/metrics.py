"""Who may read ``/metrics``: one user name and password for the whole control plane."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from poolkeeper.domain.errors import InvalidField

DEFAULT_USERNAME = "metrics"

# HTTP's Basic authentication parts the two at the first colon.
_USERNAME = re.compile(r"[A-Za-z0-9_.@-]{1,63}")
_PASSWORD = re.compile(r"[!-~]{8,128}")


@dataclass(frozen=True)
class MetricsCredentials:
    """A user name and a password for HTTP's Basic authentication."""

    username: str
    password: str = field(repr=False)


def parse_metrics_credentials(username: str, password: str) -> MetricsCredentials:
    """The credentials, checked. Raises InvalidField."""
    if not _USERNAME.fullmatch(username):
        raise InvalidField(
            "credentials.basic_auth_username", "1 to 63 characters out of a-z A-Z 0-9 _ . @ -"
        )
    if not _PASSWORD.fullmatch(password):
        raise InvalidField(
            "credentials.basic_auth_password",
            "8 to 128 characters, letters, digits and signs of ASCII without spaces",
        )
    return MetricsCredentials(username, password)
