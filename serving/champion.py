"""Which model serves: the registry's champion, or the last one that was verified here.

MLflow takes seconds and 300 MB to import, so a child process asks the registry and leaves the
model's files in `var/models/<digest>/`; the server only reads verified files. With the registry out
of reach, the last champion that served here serves again. Either way a statement that a trusted key
has signed comes first: nothing of a model is read before it.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from models import artifact, copies, golden, keys, statement
from models.copies import Pointer
from models.hazard import HazardModel
from models.keys import Trusted
from pricing.errors import ModelError, SeedrateError
from serving.settings import Settings

log = logging.getLogger("seedrate.champion")

ROOT = Path(__file__).parent.parent
NONE = (
    "no model can be served, the log says why: make one with `python -m training fit` and "
    "`python -m training promote`, then start the server again"
)
QUICKLY = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "2"}


def champion(settings: Settings) -> HazardModel:
    """Return the model to serve; its card says the number of its version in the registry.

    Raises:
        ModelError: there is none; says what to do.
    """
    try:
        trusted = keys.trusted(settings.trusted_keys)
    except SeedrateError as error:
        raise ModelError(f"{NONE} ({error})") from None
    last = Pointer.read(settings.models)
    _pull(settings)
    newest = Pointer.read(settings.models)
    for pointer in (newest, last):
        model = None if pointer is None else _read(settings, pointer, trusted)
        if pointer is not None and model is not None:
            pointer.write(settings.models)
            return replace(model, card={**model.card, "version": pointer.version})
    raise ModelError(NONE)


def _read(settings: Settings, pointer: Pointer, trusted: Trusted) -> HazardModel | None:
    """Return a pointer's model; None if it may not serve, is gone or altered, or prices anew."""
    try:
        statement.demand(
            pointer.signed,
            trusted,
            model=settings.model,
            alias=settings.alias,
            digest=pointer.digest,
        )
        folder = copies.find(settings.models, pointer.digest)
        if folder is None:
            raise ModelError("its local copy is gone or altered")
        model = artifact.read(folder, pointer.digest)
        golden.check(model, folder)
    except ModelError as error:
        log.error("model %s is not fit to serve: %s", pointer.digest, error)
        return None
    return model


def _pull(settings: Settings) -> None:
    """Let a child process fetch the champion and point at it; log why if it cannot."""
    if settings.tracking_uri is None:
        return
    command = [sys.executable, "-m", "models.registry", "pull"]
    command += ["--name", settings.model, "--alias", settings.alias]
    command += ["--uri", settings.tracking_uri, "--into", str(settings.models)]
    command += ["--trusted", str(settings.trusted_keys)]
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
