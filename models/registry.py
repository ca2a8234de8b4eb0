"""The model registry, read: which version is champion, and its files as a verified local copy.

    python -m models.registry pull --name seedrate --alias champion --uri URI --into FOLDER
                                   --trusted FILE

A server runs that in a child process, so that MLflow (seconds and 300 MB to import) stays out of
its own; whether there is anything new, `models/alias.py` tells it without. MLflow is no root of
trust: who let a version serve is read off a signature, and what it hands out is verified before a
byte is parsed.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from models import copies, statement
from models.copies import Pointer
from models.keys import Trusted, trusted
from pricing.errors import InputError, ModelError, SeedrateError

if TYPE_CHECKING:
    from mlflow import MlflowClient as MlflowClient  # promote.py names it too
    from mlflow.entities.model_registry import RegisteredModel

CHALLENGER = "challenger"  # the alias of a version that is priced beside the champion
UNFIT = 3  # how `pull` ends if what the registry has may not serve
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

    def pointer(self, alias: str) -> Pointer:
        """Return it as what may serve under an alias, not yet verified."""
        return Pointer(self.digest, self.name, self.number, self.signed(alias))

    def signed(self, alias: str) -> str:
        """Return the signed statement that lets it serve under an alias; empty if there is none."""
        return str(self.tags.get(signed_tag(alias), ""))


def signed_tag(alias: str) -> str:
    """Return the name of the tag that holds a version's signed statement for an alias."""
    return f"signed.{alias}"


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


def papers(registry: MlflowClient, run_id: str) -> frozenset[str]:
    """Return the paths of all files in a run; none if there is no run."""
    found: set[str] = set()
    folders = [""] if run_id else []
    while folders:
        for file in registry.list_artifacts(run_id, folders.pop()):
            if file.is_dir:
                folders.append(file.path)
            else:
                found.add(file.path)
    return frozenset(found)


def claim(registry: MlflowClient, name: str, tags: Mapping[str, str]) -> bool:
    """Make a registered model that only one of many can make; return whether we did.

    A registry compares and sets nothing. But the names of its models are a primary key, on a server
    as in a local database: of two that make the same name at once, one is told that it is there.
    """
    from mlflow import MlflowException

    try:
        registry.create_registered_model(name, tags=dict(tags))
    except MlflowException as error:
        # the second: it was there, and was dropped while MLflow looked at whose it was
        if error.error_code in ("RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"):
            return False
        raise
    return True


def drop(registry: MlflowClient, name: str) -> None:
    """Delete a registered model that was made to claim something, if it is still there."""
    from mlflow import MlflowException

    try:
        registry.delete_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise


def tags(registry: MlflowClient, name: str) -> dict[str, str] | None:
    """Return the tags of a registered model; None if there is none such.

    MLflow reads a model and its tags one after the other: of one that is dropped in between it
    says that it is there, and has no tags.
    """
    found = _found(registry, name)
    return dict(found.tags) if found else None


def made(registry: MlflowClient, name: str) -> datetime | None:
    """Return when a registered model was made, by the registry's clock; None if there is none."""
    found = _found(registry, name)
    return datetime.fromtimestamp(found.creation_timestamp / 1000, UTC) if found else None


def _found(registry: MlflowClient, name: str) -> RegisteredModel | None:
    from mlflow import MlflowException

    try:
        return registry.get_registered_model(name)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def pull(name: str, alias: str, uri: str, into: Path, keys: Trusted) -> Pointer:
    """Return where an alias points, with a verified local copy of it in `into`/digest.

    Args:
        name: of the registered model.
        alias: of the version.
        uri: of the registry.
        into: folder of local copies.
        keys: whose signatures are trusted.

    Raises:
        InputError: the registry does not answer, or has no such model or alias.
        ModelError: nobody trusted has signed that the version may serve, or it was signed before
            the one that serves here, or the files are not what its digest says.
    """
    with client(uri) as registry:
        found = version(registry, name, alias)
        if found is None:
            expected = f"a registered model with the alias {alias} (python -m training promote)"
            raise InputError.of("SEEDRATE_MODEL", expected, name)
        pointer = found.pointer(alias)
        told = statement.demand(
            pointer.signed, keys, model=name, alias=alias, digest=pointer.digest
        )
        copies.check_follows(told, into, keys)
        fetch(registry, found, into)
    return pointer


def main(arguments: Sequence[str]) -> int:
    """Run the command; a failure is one clear line on standard error."""
    parser = argparse.ArgumentParser(prog="python -m models.registry", description=__doc__)
    command = parser.add_subparsers(required=True).add_parser("pull", help="print where it points")
    command.add_argument("--name", required=True, help="of the registered model")
    command.add_argument("--alias", required=True, help="of the version")
    command.add_argument("--uri", required=True, help="of the MLflow registry")
    command.add_argument("--into", required=True, type=Path, help="folder of local copies")
    command.add_argument("--trusted", required=True, type=Path, help="file of public keys")
    given = parser.parse_args(arguments)
    try:
        keys = trusted(given.trusted)
        print(json.dumps(asdict(pull(given.name, given.alias, given.uri, given.into, keys))))
    except SeedrateError as error:
        print(error, file=sys.stderr)
        return UNFIT if isinstance(error, ModelError) else 2
    return 0


def _discreet(text: str) -> str:
    return re.sub(r"//[^/@\s]+@", "//***@", text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
