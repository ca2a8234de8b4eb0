"""Where the model of an alias comes from: what the registry names, or what served here last.

The alias is asked for in milliseconds (`models/alias.py`). MLflow takes seconds and 300 MB to
import, so that a child process fetches the files of what is new into `var/models/<digest>/`, and
another one loads them first, as a damaged model ends the process that reads it. Nothing of a model
is read before a statement that a trusted key has signed lets it serve.
"""

from __future__ import annotations

import logging
import os
import signal
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event

from models import alias as aliases
from models import artifact, copies, golden, keys, registry, statement
from models.breath import breathe
from models.copies import Pointer
from models.hazard import HazardModel
from pricing.errors import InputError, ModelError, SeedrateError
from serving import child
from serving.remembered import Remembered
from serving.settings import Settings

log = logging.getLogger("seedrate.champion")

ROOT = child.ROOT
NONE = (
    "no model can be served, the log says why: make one with `python -m training fit` and "
    "`python -m training promote`"
)
QUICKLY = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "2"}
TRIAL_SECONDS = 900.0  # of a loading that gives way to all else, and may have to compile first
MOST_SAID = 2000  # letters of what a child process says


def champion(settings: Settings) -> HazardModel:
    """Return the model to serve; its card says the number of its version in the registry.

    Raises:
        ModelError: there is none; says what to do.
    """
    return Source(settings, settings.alias).first()[0]


@dataclass(frozen=True)
class Source:
    """What an alias names in the registry, and the copies that were verified here.

    Attributes:
        settings: of the server.
        alias: that a version must be signed for.
        ending: stops what is under way.
        remembered: models that this process has read, shared by its aliases.
        hold: on the copy that serves, so that no process removes it.
    """

    settings: Settings
    alias: str
    ending: Event = field(default_factory=Event)
    remembered: Remembered = field(default_factory=Remembered)
    hold: copies.Hold = field(default_factory=copies.Hold)

    @property
    def can_ask(self) -> bool:
        """Return whether the registry can be asked often."""
        uri = self.settings.tracking_uri
        return uri is not None and aliases.can_ask(uri)

    def first(self) -> tuple[HazardModel, Pointer]:
        """Return what the alias names, or else what served here last; and make it the last.

        Raises:
            ModelError: there is nothing that may serve.
        """
        try:
            self.trusted()
        except InputError as error:
            raise ModelError(f"{NONE} ({error})") from None
        for find in (self._fetched, self.last):
            try:
                if pointer := find():
                    self.check(pointer)
                    model = self.load(pointer)
                    self.keep(pointer)
                    return model, pointer
            except (SeedrateError, TimeoutError) as error:
                log.error("the registry's %s does not serve: %s", self.alias, error)
        raise ModelError(NONE)

    def named(self) -> Pointer | None:
        """Return what the alias names, of which nothing is verified; None if it names nothing.

        Raises:
            InputError: the registry does not answer.
        """
        uri, model = self.settings.tracking_uri, self.settings.model
        found = aliases.named(uri, model, self.alias, os.environ) if uri else None
        if found is None:
            return None
        return Pointer(found.tags.get("digest", ""), model, found.number, found.signed(self.alias))

    def last(self) -> Pointer | None:
        """Return what served here last."""
        return Pointer.read(self.settings.models, self.alias)

    def keep(self, pointer: Pointer) -> None:
        """Make what serves the last that served here."""
        if pointer != self.last():
            pointer.write(self.settings.models, self.alias)

    def tidy(self, pointer: Pointer) -> None:
        """Hold the copy that serves, and remove old ones that nobody needs; see `copies.tidy`."""
        models = self.settings.models
        try:
            self.hold.move(models / pointer.digest)
            for digest in copies.tidy(models, self.settings.models_kept):
                log.info("the copy of %s was one too many, and is gone", digest)
        except OSError as error:
            log.warning("old copies of models stay: %s", error)

    def trusted(self) -> keys.Trusted:
        """Return whose signatures are trusted."""
        return keys.trusted(self.settings.trusted_keys)

    def check(self, pointer: Pointer) -> None:
        """Check that somebody trusted lets it serve, and not before what serves here.

        Raises:
            ModelError: nobody does.
        """
        trusted = self.trusted()
        told = statement.demand(
            pointer.signed,
            trusted,
            model=self.settings.model,
            alias=self.alias,
            digest=pointer.digest,
        )
        copies.check_follows(told, self.settings.models, trusted)

    def has(self, pointer: Pointer) -> bool:
        """Return whether there is a copy of its files here, verified again."""
        return copies.find(self.settings.models, pointer.digest) is not None

    def fetch(self) -> Pointer:
        """Let a child process fetch what the alias names, verified; return what that was.

        Raises:
            InputError: the registry does not answer.
            TimeoutError: or not in time.
            ModelError: what it has is not what was signed.
        """
        settings = self.settings
        command = ["models.registry", "pull", "--name", settings.model, "--alias", self.alias]
        command += ["--uri", str(settings.tracking_uri), "--into", str(settings.models)]
        command += ["--trusted", str(settings.trusted_keys)]
        environ = {**QUICKLY, **os.environ}
        done = child.run(
            command, environ=environ, seconds=settings.pull_seconds, ending=self.ending
        )
        if done.returncode == 0:
            return Pointer.parse(done.stdout)
        said = done.stderr.strip()[-MOST_SAID:]
        if done.returncode == registry.UNFIT:
            raise ModelError(said)
        raise InputError.of("SEEDRATE_TRACKING_URI", "a registry that gives its model", said)

    def load(self, pointer: Pointer) -> HazardModel:
        """Return a model that has been checked: its copy verified, its golden vectors passed.

        One that is remembered has passed them in this process, the very object. Any other is read,
        first in a process that may die of it, unless it served here last and did not end us then.

        Raises:
            ModelError: its files are not here, cannot be read, or price something else.
        """
        folder = copies.find(self.settings.models, pointer.digest)
        if folder is None:
            raise ModelError(
                f"the copy of {pointer.digest} must be whole, however: it is gone or altered"
            )
        model = self.remembered.find(pointer.digest)
        if model is None:
            model = self._read(folder, pointer.digest)
            self.remembered.keep(model)
        return replace(model, card={**model.card, "version": pointer.version})

    def _fetched(self) -> Pointer | None:
        """Return what the alias names, with its files; None if no registry is asked."""
        if self.settings.tracking_uri is None:
            return None
        if not self.can_ask:
            return self.fetch()
        pointer = self.named()
        if pointer is None:
            log.warning("the registry names no %s of %s", self.alias, self.settings.model)
            return None
        return pointer if self.has(pointer) else self.fetch()

    def _read(self, folder: Path, digest: str) -> HazardModel:
        last = self.last()
        if last is None or last.digest != digest:
            self._try(str(folder), digest)
        model = artifact.read(folder, digest)
        breathe()
        golden.check(model, folder)
        breathe()
        return model

    def _try(self, folder: str, digest: str) -> None:
        """Load a model in a child process.

        Raises:
            ModelError: the process says why not, dies of it, or takes too long.
        """
        try:
            done = child.run(
                ["models.trial", folder, digest],
                environ=os.environ,
                seconds=TRIAL_SECONDS,
                ending=self.ending,
            )
        except TimeoutError as error:
            raise ModelError(f"a model must load, however: {error}") from None
        if done.returncode < 0:
            died = signal.Signals(-done.returncode).name
            raise ModelError(f"a model must load, however: its process died of {died}")
        if done.returncode:
            raise ModelError(done.stderr.strip()[-MOST_SAID:])
