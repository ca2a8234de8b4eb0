"""The model registry, read: which version is champion, and its files as a verified local copy.

    python -m models.registry pull --name seedrate --alias champion --uri URI --into var/models

A server runs that in a child process, so that MLflow (seconds and 300 MB to import) stays out of
its own. MLflow is no root of trust: what it hands out is verified before a byte is parsed.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from models import copies
from models.copies import Pointer
from pricing.errors import InputError, ModelError, SeedrateError

if TYPE_CHECKING:
    from mlflow import MlflowClient as MlflowClient  # promote.py names it too

FOLDER = "model"  # of our files inside MLflow's model: data/model

# Read by MLflow, partly at its import; what the environment says already has precedence.
SETTINGS = {
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # by default it asks a dead server for four minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
CHATTER = (
    ".*noload",  # mlflow 3.17 -> sqlalchemy 2.1
    "Operation with range",  # mlflow 3.17 -> pandas 3
    ".*inferred as AnyType",  # our signature, on purpose: training/track.py
)


@dataclass(frozen=True)
class Version:
    """A registered version of a model."""

    name: str
    number: str
    run_id: str
    tags: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the manifest, as the version's tag says.

        Raises:
            ModelError: it says none.
        """
        digest = self.tags.get("digest", "")
        if not copies.DIGEST.fullmatch(digest):
            said = f"{self.name} version {self.number} must have a tag digest, a SHA-256"
            raise ModelError(f"{said}, however: {digest[:80]!r}")
        return digest


def settle(environ: MutableMapping[str, str]) -> None:
    """Set what MLflow should find in its environment, before it is imported."""
    for key, value in SETTINGS.items():
        environ.setdefault(key, value)


@contextmanager
def client(uri: str) -> Iterator[MlflowClient]:
    """Yield a client of the registry, with MLflow's chatter off and its failures in our words.

    Raises:
        InputError: the registry does not answer, or refuses; says what to do.
    """
    settle(os.environ)
    with warnings.catch_warnings():
        for message in CHATTER:
            warnings.filterwarnings("ignore", message=message)
        import mlflow  # after the environment is set, and only where a registry is asked

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        try:
            yield mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
        except mlflow.MlflowException as error:
            raise refused(uri, error) from error


def refused(uri: str, error: Exception) -> InputError:
    """Return MLflow's failure as ours, without the password that a URI may hold."""
    first = str(error).partition("\n")[0]
    told = "no answer" if "Max retries exceeded" in first else _discreet(first)[:300]
    expected = "an MLflow registry that answers (start it, or unset it to use the local database)"
    return InputError.of("SEEDRATE_TRACKING_URI", expected, f"{_discreet(uri)}: {told}")


def version(registry: MlflowClient, name: str, which: str) -> Version | None:
    """Return the version of an alias, of a number or the "latest"; None if there is none such."""
    from mlflow import MlflowException

    try:
        if which == "latest":
            order = ["version_number DESC"]
            some = registry.search_model_versions(f"name='{name}'", 1, order)
            return version(registry, name, str(some[0].version)) if some else None
        if which.isdecimal():
            found = registry.get_model_version(name, which)
        else:
            found = registry.get_model_version_by_alias(name, which)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise
    return Version(name, str(found.version), str(found.run_id or ""), dict(found.tags))


def fetch(registry: MlflowClient, found: Version, into: Path) -> Path:
    """Return the local copy of a version's model folder, downloaded if need be, and verified.

    Raises:
        ModelError: what the registry holds is not what the version's digest says.
    """
    import mlflow

    held = copies.find(into, found.digest)
    if held is not None:
        return held
    with copies.arriving(into) as folder:
        path = mlflow.artifacts.download_artifacts(
            artifact_uri=f"models:/{found.name}/{found.number}/data/{FOLDER}",
            dst_path=str(folder),
            tracking_uri=registry.tracking_uri,
        )
        return copies.place(Path(path), into, found.digest)


def pull(name: str, alias: str, uri: str, into: Path) -> Path:
    """Return the champion's verified local copy, `into`/digest, and make it the last good one.

    Raises:
        InputError: the registry does not answer, or has no such model or alias.
        ModelError: the files are not what the version's digest says; the last good one stays.
    """
    with client(uri) as registry:
        found = version(registry, name, alias)
        if found is None:
            expected = f"a registered model with the alias {alias} (python -m training promote)"
            raise InputError.of("SEEDRATE_MODEL", expected, name)
        folder = fetch(registry, found, into)
    Pointer(found.digest, found.name, found.number).write(into)
    return folder


def main(arguments: Sequence[str]) -> int:
    """Run the command; a failure is one clear line on standard error."""
    parser = argparse.ArgumentParser(prog="python -m models.registry", description=__doc__)
    command = parser.add_subparsers(required=True).add_parser("pull", help="print the local copy")
    command.add_argument("--name", required=True, help="of the registered model")
    command.add_argument("--alias", required=True, help="of the version")
    command.add_argument("--uri", required=True, help="of the MLflow registry")
    command.add_argument("--into", required=True, type=Path, help="folder of local copies")
    given = parser.parse_args(arguments)
    try:
        print(pull(given.name, given.alias, given.uri, given.into))
    except SeedrateError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _discreet(text: str) -> str:
    return re.sub(r"//[^/@\s]+@", "//***@", text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
