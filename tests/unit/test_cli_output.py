"""What commands print: doctl's tables, columns and JSON."""

from __future__ import annotations

import json

import pytest

from poolkeeper.cli.errors import CommandFailed
from poolkeeper.cli.invocation import Invocation
from poolkeeper.cli.output import (
    Column,
    Table,
    format_cell,
    format_table,
    format_time,
    print_item,
    print_items,
)

POOLS = Table(
    (
        Column("User", "User", "user"),
        Column("Name", "Name", "name"),
        Column("Size", "Size", "size"),
        Column("SSL", "SSL Required", lambda pool: pool["connection"]["ssl"]),
    ),
    ("User", "Name", "Size"),
)
ITEMS = [
    {"user": "doadmin", "name": "main-pool", "size": 10, "connection": {"ssl": True}},
    {"user": "", "name": "in", "size": 2, "connection": {"ssl": False}},
]


def printed(capsys: pytest.CaptureFixture[str], **flags: object) -> str:
    print_items(Invocation(**flags), POOLS, ITEMS)  # type: ignore[arg-type]
    return capsys.readouterr().out


def test_a_table_has_columns_four_spaces_apart(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys) == (
        "User       Name         Size\n"
        "doadmin    main-pool    10\n"
        "           in           2\n"
    )  # fmt: skip


def test_format_picks_columns_in_the_order_given(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, format="Name, SSL") == (
        "Name         SSL Required\n"
        "main-pool    true\n"
        "in           false\n"
    )  # fmt: skip


def test_no_header(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, format="Name", no_header=True) == "main-pool\nin\n"


def test_an_unknown_column_is_told_with_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandFailed, match='unknown column "Port"; there are User, Name, Size'):
        printed(capsys, format="Port")


def test_json_is_an_array_of_what_the_api_said(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, output="json")
    assert json.loads(text) == ITEMS
    assert text.startswith('[\n  {\n    "user": "doadmin",\n')


def test_an_empty_list_is_a_header_or_an_empty_array(capsys: pytest.CaptureFixture[str]) -> None:
    print_items(Invocation(), POOLS, [])
    assert capsys.readouterr().out == "User    Name    Size\n"
    print_items(Invocation(output="json"), POOLS, [])
    assert capsys.readouterr().out == "[]\n"
    print_items(Invocation(no_header=True), POOLS, [])
    assert capsys.readouterr().out == ""


def test_an_item_is_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    print_item(Invocation(output="json"), POOLS, ITEMS[0])
    assert json.loads(capsys.readouterr().out) == ITEMS[0]


def test_the_last_column_is_not_padded() -> None:
    assert format_table([["a", "bbb"], ["aa", "b"]]) == "a     bbb\naa    b\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (True, "true"), (3, "3"), (1.5, "1.500000"), (["a", "b"], "a,b"), ("x", "x")],
)
def test_cells_look_as_go_prints_them(value: object, text: str) -> None:
    assert format_cell(value) == text


@pytest.mark.parametrize(
    ("time", "text"),
    [
        ("2026-11-01T10:00:00Z", "2026-11-01 10:00:00 +0000 UTC"),
        ("2026-11-01T12:00:00+02:00", "2026-11-01 10:00:00 +0000 UTC"),
        ("2026-11-01T10:00:00.250Z", "2026-11-01 10:00:00.25 +0000 UTC"),
        (None, ""),
        ("", ""),
        ("soon", "soon"),
    ],
)
def test_times_look_as_go_prints_them(time: object, text: str) -> None:
    assert format_time(time) == text
