"""What makes a champion and what does not: gates, signatures, and who was first."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models import artifact, copies, keys, registry, statement
from pricing.errors import ModelError
from tests.training.desk import OVERRIDE, Bank
from training import choose
from training.gates import Gate
from training.promote import Act, Desk, Office
from training.rules import Rules, Slack

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*noload:DeprecationWarning", "ignore:Operation with range:DeprecationWarning"
)


def test_a_tampered_artifact_is_refused_and_the_last_good_champion_stays(
    bank: Bank, tmp_path: Path
) -> None:
    bank.champion()
    shutil.copytree(bank.copies, tmp_path / "copies")
    before = copies.Pointer.read(tmp_path / "copies")
    assert before is not None
    shutil.rmtree(tmp_path / "copies" / before.digest)
    stored = next((bank.folder / "var" / "artifacts").rglob("default-0.txt"))
    sound = stored.read_text()
    try:
        stored.write_text(sound.replace("leaf_value=0", "leaf_value=1", 1))
        with pytest.raises(ModelError, match=r"default-0\.txt must have SHA-256"):
            bank.pulls(tmp_path / "copies")
    finally:
        stored.write_text(sound)
    assert copies.Pointer.read(tmp_path / "copies") == before
    assert not (tmp_path / "copies" / before.digest).exists()
    assert [path.name for path in (tmp_path / "copies").iterdir()] == ["champion.json"]


def test_a_version_whose_digest_is_a_path_is_refused(bank: Bank, tmp_path: Path) -> None:
    with registry.client(bank.uri) as client:
        version = registry.version(client, "seedrate", "champion")
        assert version is not None
        try:
            client.set_model_version_tag("seedrate", version.number, "digest", "../../etc")
            with pytest.raises(ModelError, match="a SHA-256, however"):
                bank.pulls(tmp_path)
        finally:
            client.set_model_version_tag("seedrate", version.number, "digest", version.digest)


def test_a_version_that_does_not_beat_the_benchmark_is_refused_with_its_figures(
    bank: Bank,
) -> None:
    refused = bank.does("promote", "--reason", "again")
    assert refused.exit_code == 2
    assert "AUC at 36 months, less the linear benchmark's must be above 0" in refused.stderr
    assert "--override" in refused.stderr
    assert "Traceback" not in refused.output + refused.stderr


def test_a_champion_goes_and_comes_back_and_the_registry_remembers(bank: Bank) -> None:
    first = bank.champion()
    bank.fits("--seed", "21")
    bank.did("promote", "--reason", "the second", "--by", "ann", *OVERRIDE)
    assert bank.champion() != first
    bank.did("rollback", "--reason", "sector 5 looks wrong", "--by", "bob")
    assert bank.champion() == first
    with registry.client(bank.uri) as client:
        second = registry.version(client, "seedrate", "2")
    assert second is not None
    assert second.tags["promoted_by"] == "ann"
    told = statement.verify(second.signed("champion"), keys.trusted(bank.trusted))
    assert (told.act, told.who, told.override) == ("promoted", "ann", OVERRIDE[1])
    assert told.failed
    assert second.tags["rolled_back_by"] == "bob"
    assert second.tags["rolled_back_why"] == "sector 5 looks wrong"
    refused = bank.does("rollback", "--reason", "once more")
    assert refused.exit_code == 2
    assert "seedrate had none" in refused.stderr
    assert "sector 5 looks wrong" in bank.did("status")


def test_a_refit_meets_the_champion_on_the_same_projects(bank: Bank) -> None:
    champion = bank.champion().name
    bank.fits("--seed", "22")
    with registry.client(bank.uri) as client:
        latest = registry.version(client, "seedrate", "latest")
        assert latest is not None
        met = artifact.read(registry.fetch(client, latest, bank.copies)).card["champion"]
    assert met["digest"] == champion
    assert met["gains"]["auc_36m"]["low"] < met["gains"]["auc_36m"]["high"]
    refused = bank.does("promote", "--reason", "again")
    assert "AUC at 36 months, less the champion's" in refused.output


def test_a_challenger_has_a_signature_of_its_own(bank: Bank, tmp_path: Path) -> None:
    told = bank.did("challenge", "1", "--reason", "shadow run", "--by", "cy")
    assert "parts less price" in told
    assert "benchmark" not in told
    assert "challenged" in bank.did("status")
    trusted = keys.trusted(bank.trusted)
    pointer = registry.pull("seedrate", "challenger", bank.uri, tmp_path, trusted)
    assert statement.verify(pointer.signed, trusted).act == "challenged"
    assert copies.find(tmp_path, pointer.digest) is not None
    with pytest.raises(ModelError, match="the signed alias must be champion"):
        statement.demand(
            pointer.signed, trusted, model="seedrate", alias="champion", digest=pointer.digest
        )


def test_a_version_that_nobody_trusted_has_signed_is_not_pulled(bank: Bank, tmp_path: Path) -> None:
    eve = keys.create(tmp_path / "eve", "eve")
    with registry.client(bank.uri) as client:
        version = registry.version(client, "seedrate", "champion")
        assert version is not None
        signed, tag = version.signed("champion"), registry.signed_tag("champion")
        told = statement.verify(signed, keys.trusted(bank.trusted))
        words = {
            statement.sign(told, eve): "signed by a trusted key",
            signed.replace(told.why, "another"): "it was altered",
            "": "must be signed",
        }
        try:
            for word, refusal in words.items():
                client.set_model_version_tag("seedrate", version.number, tag, word)
                with pytest.raises(ModelError, match=refusal):
                    bank.pulls(tmp_path / "copies")
            assert not (tmp_path / "copies").exists()
        finally:
            client.set_model_version_tag("seedrate", version.number, tag, signed)


def test_an_old_signature_does_not_bring_a_former_champion_back(bank: Bank, tmp_path: Path) -> None:
    folder = bank.champion()
    shutil.copytree(bank.copies, tmp_path / "copies")
    pointer = copies.Pointer.read(tmp_path / "copies")
    assert pointer is not None
    told = statement.verify(pointer.signed, keys.trusted(bank.trusted))
    later = replace(told, when="2999-01-01T00:00:00+00:00", turn=told.turn + 1)
    key = keys.SigningKey.read(bank.trusted.parent / keys.SIGNING)
    replace(pointer, signed=statement.sign(later, key)).write(tmp_path / "copies")
    with pytest.raises(ModelError, match="signed after the one that serves here"):
        bank.pulls(tmp_path / "copies")
    pointer.write(tmp_path / "copies")
    assert bank.pulls(tmp_path / "copies").name == folder.name


def test_a_promotion_gives_way_to_another_that_was_first(bank: Bank) -> None:
    key = keys.SigningKey.read(bank.trusted.parent / keys.SIGNING)
    desk = Desk(Rules("none", "1", 36), key, keys.trusted(bank.trusted))
    act = Act("ann", datetime.now(UTC), "a race")
    with registry.client(bank.uri) as client:
        office = Office(client, "seedrate", "champion", bank.copies, lambda: act.when)

        def overtaken(gates: Sequence[Gate]) -> None:
            office.promote("1", act, desk)

        with pytest.raises(ModelError, match="it has changed, and is now version 1"):
            office.promote("1", act, desk, asked=overtaken)
        log = office.seat("champion").state().log
    assert log[-1] == "1"


def test_a_key_that_no_server_trusts_promotes_nothing(bank: Bank, tmp_path: Path) -> None:
    keys.create(tmp_path, "eve")
    own = {"SEEDRATE_SIGNING_KEY": str(tmp_path / keys.SIGNING)}
    eve = Bank(bank.folder, {**bank.environment, **own})
    refused = eve.does("promote", "--reason", "mine", *OVERRIDE)
    assert refused.exit_code == 2
    assert "SEEDRATE_SIGNING_KEY must be a key in SEEDRATE_TRUSTED_KEYS" in refused.stderr
    (tmp_path / keys.SIGNING).chmod(0o644)
    assert "chmod 600" in eve.does("promote", "--reason", "mine", *OVERRIDE).stderr


def test_the_best_of_those_judged_on_the_same_projects_is_chosen_and_why_is_signed(
    bank: Bank,
) -> None:
    bank.fits("--seed", "22", "--depth", "1")
    with registry.client(bank.uri) as client:
        office = Office(client, "seedrate", "champion", bank.copies, lambda: datetime.now(UTC))
        found = choose.candidates(office, Rules("least", "1", 36))
        assert len(found) >= 2
        chosen, why = choose.best(office, Rules("least", "1", 36))
        assert chosen.loss == min(one.loss for one in found)
        assert str(chosen) in why
        assert all(str(one) in why for one in found)
        # nothing beats the benchmark here by its whole interval: every failed gate is named
        with pytest.raises(ModelError, match="every gate, however") as refused:
            choose.best(office, Rules("hard", "1", 36, benchmark=Slack(-0.5, -0.5)))
    assert str(refused.value).count("less the linear benchmark's must be") == 2 * len(found)


def test_the_best_is_asked_for_without_a_version_or_an_override(bank: Bank) -> None:
    refused = bank.does("promote", "1", "--best", "--reason", "both")
    assert refused.exit_code == 2
    assert "--best must be without a VERSION" in refused.stderr
