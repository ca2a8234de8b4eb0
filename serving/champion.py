"""Which model serves: the registry's champion, or the last one that was verified here.

MLflow takes seconds and 300 MB to import, so a child process asks the registry and leaves the
model's files in `var/models/<digest>/`; the server only reads verified files. After every model
that could be read, `var/models/champion` names its digest: with the registry out of reach, that
one serves.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

from models import artifact
from models.hazard import HazardModel
from pricing.errors import ModelError
from serving.settings import Settings

log = logging.getLogger("seedrate.champion")

ROOT = Path(__file__).parent.parent
NONE = (
    "no model can be served: make one with `python -m training fit` and "
    "`python -m training promote`, then start the server again"
)
QUICKLY = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "2",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
}


def champion(settings: Settings) -> HazardModel:
    """Return the model to serve.

    Raises:
        ModelError: there is none; says what to do.
    """
    for folder in (_pulled(settings), _last(settings)):
        if folder is None:
            continue
        try:
            model = artifact.read(folder, digest=folder.name)
        except ModelError as error:
            log.error("%s is not fit to serve: %s", folder, error)
            continue
        _pointer(settings).write_text(model.digest + "\n", encoding="ascii")
        return model
    raise ModelError(NONE)


def _pulled(settings: Settings) -> Path | None:
    """Let a child process fetch the champion; None if the registry cannot say."""
    if settings.tracking_uri is None:
        return None
    settings.models.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "models.registry", "pull"]
    command += ["--name", settings.model, "--alias", settings.alias]
    command += ["--uri", settings.tracking_uri, "--into", str(settings.models)]
    try:
        child = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **QUICKLY},
            capture_output=True,
            text=True,
            timeout=settings.pull_seconds,
            check=True,
        )
    except subprocess.TimeoutExpired:
        log.warning("the registry did not answer within %g s", settings.pull_seconds)
        return None
    except subprocess.CalledProcessError as error:
        log.warning("the registry named no champion: %s", error.stderr.strip()[-2000:])
        return None
    return Path(child.stdout.strip().splitlines()[-1])


def _last(settings: Settings) -> Path | None:
    """Return the folder of the last model that was served here."""
    try:
        digest = _pointer(settings).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    folder = settings.models / digest
    return folder if folder.is_dir() else None


def _pointer(settings: Settings) -> Path:
    return settings.models / "champion"
