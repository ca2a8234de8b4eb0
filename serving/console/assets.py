"""Style sheets, scripts and pictures: read once, packed once, addressed by what they hold."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from serving.doors import CONSOLE
from serving.problem import NOT_FOUND, RefusedError

FOLDER = Path(__file__).parent / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FOR_A_YEAR = "public, max-age=31536000, immutable"  # the address changes with the content


@dataclass(frozen=True)
class Asset:
    """One file, as it is and packed."""

    name: str
    content: bytes
    packed: bytes

    @cached_property
    def digest(self) -> str:
        """Return what names this content and no other."""
        return hashlib.sha256(self.content).hexdigest()[:16]

    @property
    def address(self) -> str:
        """Return where a page finds it."""
        return f"{CONSOLE}/static/{self.digest}/{self.name}"

    def response(self, accepted: str) -> Response:
        """Return it, packed for whom accepts that."""
        headers = {"cache-control": FOR_A_YEAR, "vary": "accept-encoding"}
        media = TYPES[Path(self.name).suffix]
        if "gzip" not in accepted:
            return Response(self.content, headers=headers, media_type=media)
        return Response(
            self.packed, headers={**headers, "content-encoding": "gzip"}, media_type=media
        )


@dataclass(frozen=True)
class Assets:
    """All of them, by name."""

    files: Mapping[str, Asset]

    @classmethod
    def read(cls, folder: Path = FOLDER) -> Assets:
        """Return the files of a folder."""
        found = {}
        for path in sorted(folder.iterdir()):
            if path.suffix in TYPES:
                content = path.read_bytes()
                packed = gzip.compress(content, mtime=0)
                found[path.name] = Asset(path.name, content, packed)
        return cls(found)

    def address(self, name: str) -> str:
        """Return where a page finds a file."""
        return self.files[name].address

    def answer(self, request: Request) -> Response:
        """Answer GET /console/static/{digest}/{asset}."""
        asset = self.files.get(request.path_params["asset"])
        if asset is None or asset.digest != request.path_params["digest"]:
            raise RefusedError(NOT_FOUND, "a page names the files that there are")
        return asset.response(request.headers.get("accept-encoding", ""))
