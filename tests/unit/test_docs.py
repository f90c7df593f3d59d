"""The docs say what is there: settings, files, links, decisions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from poolkeeper.settings import ROWS
from poolkeeper.settings.types import Process, Row
from tests import compatibility

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(?P<text>.+)$", re.MULTILINE)
_CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)

# What belongs to one machine or one network, and to no reader.
_FOREIGN = re.compile(r"(?<![\w/.-])/(?:root|work|tmp|home)/[\w.-]+")


def read_table(path: Path, heading: str = "") -> list[list[str]]:
    """The cells of each table row of a page, from the heading on to the next one."""
    text = path.read_text()
    if heading:
        text = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in text.splitlines()
        if line.startswith("| ")
    ]


def in_code(cell: str) -> list[str]:
    """What a cell has between backticks."""
    return re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_setting_is_explained(row: Row) -> None:
    table = read_table(ROOT / "docs/settings.md")
    found = [cells for cells in table if name_of(cells) == row.name]
    assert len(found) == 1, f"{row.name} needs one row in docs/settings.md"
    _, variables, flag, default, meaning = found[0]
    assert in_code(variables) == list(row.variables)
    assert in_code(flag) == [row.flag]
    assert meaning
    shown = row.format(row.default(Process(0, Path("/")), {"listen": "127.0.0.1"}))
    if row.name == "public_host":
        assert in_code(default)[0] == "listen"
    elif shown is None:
        assert default.startswith("none")
    else:
        shown = ":".join(shown) if isinstance(shown, list) else str(shown)
        assert in_code(default)[0] == shown


def name_of(cells: list[str]) -> str:
    return (in_code(cells[0]) or [""])[0]


def test_no_setting_is_explained_that_does_not_exist() -> None:
    table = read_table(ROOT / "docs/settings.md")
    explained = [name_of(cells) for cells in table if len(cells) == 5 and name_of(cells)]
    assert explained == [row.name for row in ROWS]


def test_files_named_in_the_architecture_exist() -> None:
    page = ROOT / "docs/architecture.md"
    table = read_table(page, "Where to find what")[1:]
    named = [path for cells in table for path in in_code(cells[1])]
    assert len(named) > 30
    assert [path for path in named if not (ROOT / path).is_file()] == []
    # In the story of one request, paths begin inside the package.
    story = page.read_text().partition("## One request")[2].partition("\n## ")[0]
    hops = [path for path in in_code(story) if path.endswith(".py")]
    assert len(hops) > 15
    assert [path for path in hops if not (ROOT / "poolkeeper" / path).is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for match in _LINK.finditer(_CODE.sub("", page.read_text())):
        target, _, anchor = match["target"].partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        path = (page.parent / target).resolve() if target else page
        if not path.exists() or (anchor and anchor not in list_anchors(path)):
            broken.append(match["target"])
    assert broken == []


def list_anchors(page: Path) -> set[str]:
    """The anchors that the usual renderers give to a page's headings."""
    headings = [match["text"].lower() for match in _HEADING.finditer(page.read_text())]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}


def test_every_page_is_reached_from_the_readme() -> None:
    linked = {
        (ROOT / match["target"].partition("#")[0]).resolve()
        for match in _LINK.finditer((ROOT / "README.md").read_text())
    }
    pages = {page for page in PAGES if page.parent == ROOT / "docs"}
    assert sorted(page.name for page in pages - linked) == []


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs/decisions"
    listed = [match["target"] for match in _LINK.finditer((folder / "README.md").read_text())]
    decisions = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert sorted(listed) == decisions
    numbers = [name[:4] for name in decisions]
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_names_a_path_of_somebodys_machine(page: Path) -> None:
    assert _FOREIGN.findall(page.read_text()) == []


def test_the_page_on_compatibility_says_what_the_routes_are() -> None:
    assert compatibility.PAGE.read_text() == compatibility.render(), (
        "write it anew: python -m tests.compatibility"
    )
