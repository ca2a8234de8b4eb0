"""Templates to HTML: everything that is put in is escaped, and what is missing is an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from serving.console import figures
from serving.console.assets import Assets
from serving.console.words import LANGUAGES, TAGS

FOLDER = Path(__file__).parent / "templates"


class Press:
    """Prints pages; a template is read once."""

    def __init__(self, assets: Assets, folder: Path = FOLDER) -> None:
        """Set up.

        Args:
            assets: whose addresses pages name.
            folder: of the templates.
        """
        self._templates = Environment(
            loader=FileSystemLoader(folder),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.globals.update(asset=assets.address, languages=LANGUAGES, tags=TAGS)
        self._templates.filters.update(figures.FILTERS)

    def printed(self, template: str, **values: Any) -> str:
        """Return a page."""
        return self._templates.get_template(template).render(**values)
