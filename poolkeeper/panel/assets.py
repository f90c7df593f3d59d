"""Files that pages load: read once, named by their content, kept by browsers for ever."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

FOLDER = Path(__file__).parent / "static"

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
_COMPRESSED = {".css", ".js", ".svg"}
_FOR_EVER = "public, max-age=31536000, immutable"

# What scripts/build-panel gets; without it pages work, but do not move by themselves.
_VENDORED = ("vendor/htmx.min.js", "vendor/uPlot.iife.min.js", "vendor/uPlot.min.css")

_log = structlog.get_logger("poolkeeper.panel")


@dataclass(frozen=True)
class Asset:
    """A file, ready to be sent."""

    media_type: str
    content: bytes
    compressed: bytes | None
    digest: str


class Assets:
    """All files below a folder; ``url`` names one so that it never changes under that name."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._assets = {
            path.relative_to(folder).as_posix(): _read(path)
            for path in sorted(folder.rglob("*"))
            if path.suffix in _TYPES
        }
        missing = [name for name in _VENDORED if name not in self._assets]
        if missing:
            _log.warning("panel_files_missing", files=missing, remedy="run scripts/build-panel")

    def has(self, name: str) -> bool:
        return name in self._assets

    def url(self, name: str) -> str:
        """The address of a file, by its path below the folder."""
        return f"/static/{self._assets[name].digest}/{name}"

    def answer(self, request: Request) -> Response:
        """Send the file that the address names; an old name is not found."""
        asset = self._assets.get(request.path_params["name"])
        if asset is None or asset.digest != request.path_params["digest"]:
            return PlainTextResponse("not found", 404)
        headers = {"cache-control": _FOR_EVER, "vary": "accept-encoding"}
        if asset.compressed and "gzip" in request.headers.get("accept-encoding", ""):
            headers["content-encoding"] = "gzip"
            return Response(asset.compressed, headers=headers, media_type=asset.media_type)
        return Response(asset.content, headers=headers, media_type=asset.media_type)


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    return Asset(
        _TYPES[path.suffix],
        content,
        gzip.compress(content, 9, mtime=0) if path.suffix in _COMPRESSED else None,
        hashlib.sha256(content).hexdigest()[:16],
    )
