"""Which model serves: the registry's champion, or the last one that was verified here.

MLflow takes seconds and 300 MB to import, so a child process asks the registry and leaves the
model's files in `var/models/<digest>/`; the server only reads verified files. With the registry out
of reach, the last champion that served here serves again.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from models import artifact, copies, golden
from models.copies import Pointer
from models.hazard import HazardModel
from pricing.errors import ModelError
from serving.settings import Settings

log = logging.getLogger("seedrate.champion")

ROOT = Path(__file__).parent.parent
NONE = (
    "no model can be served: make one with `python -m training fit` and "
    "`python -m training promote`, then start the server again"
)
QUICKLY = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "2"}


def champion(settings: Settings) -> HazardModel:
    """Return the model to serve; its card says the number of its version in the registry.

    Raises:
        ModelError: there is none; says what to do.
    """
    last = Pointer.read(settings.models)
    _pull(settings)
    newest = Pointer.read(settings.models)
    for pointer in (newest, last):
        model = None if pointer is None else _read(settings, pointer)
        if pointer is not None and model is not None:
            pointer.write(settings.models)
            return replace(model, card={**model.card, "version": pointer.version})
    raise ModelError(NONE)


def _read(settings: Settings, pointer: Pointer) -> HazardModel | None:
    """Return a pointer's model, or None if its files are gone or altered, or its prices others."""
    folder = copies.find(settings.models, pointer.digest)
    if folder is None:
        log.error("the local copy of model %s is gone or altered", pointer.digest)
        return None
    try:
        model = artifact.read(folder, pointer.digest)
        golden.check(model, folder)
        return model
    except ModelError as error:
        log.error("model %s is not fit to serve: %s", pointer.digest, error)
        return None


def _pull(settings: Settings) -> None:
    """Let a child process fetch the champion and point at it; log why if it cannot."""
    if settings.tracking_uri is None:
        return
    command = [sys.executable, "-m", "models.registry", "pull"]
    command += ["--name", settings.model, "--alias", settings.alias]
    command += ["--uri", settings.tracking_uri, "--into", str(settings.models)]
    try:
        subprocess.run(
            command,
            cwd=ROOT,
            env={**QUICKLY, **os.environ},
            capture_output=True,
            text=True,
            timeout=settings.pull_seconds,
            check=True,
        )
    except subprocess.TimeoutExpired:
        log.warning("the registry did not answer within %g s", settings.pull_seconds)
    except subprocess.CalledProcessError as error:
        log.warning("the registry gave no champion: %s", error.stderr.strip()[-2000:])
