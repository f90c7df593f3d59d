"""A mark that says more than its test asks is found out."""

from __future__ import annotations

from tests.shows import count_exchanges, list_unasked, note_exchange

POOLS = "GET /v2/databases/{id}/pools"
POOL = "GET /v2/databases/{id}/pools/{pool_name}"


def test_only_what_was_asked_for_counts() -> None:
    since = count_exchanges()
    note_exchange("GET", "https://127.0.0.1:8443/v2/databases/1/pools?page=1", 200)
    assert list_unasked([POOLS, POOL], since) == [POOL]
    note_exchange("POST", "/v2/databases/1/pools/web", 201)
    note_exchange("GET", "/v2/databases/1/pools/web/plan", 200)
    note_exchange("GET", "/v2/databases/1/pools/web", 500)
    assert list_unasked([POOLS, POOL], since) == [POOL]
    note_exchange("GET", "/v2/databases/1/pools/web", 404)
    assert list_unasked([POOLS, POOL], since) == []
    assert list_unasked([POOL], count_exchanges()) == [POOL]
