"""A bank's own loans, from its CSV file to a champion, by the commands that a person types."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from features import sets
from features.book import read_book
from models import artifact, copies, golden, pyfunc, registry
from models.pricer import Pricer
from pricing import policy
from pricing.errors import InputError, ModelError
from pricing.instruments.term_loan import TermLoan
from pricing.schedule import Terms
from tests.bank import write_bank_data
from training.__main__ import app

ROOT = Path(__file__).parent.parent.parent
LOANS = 3000
OVERRIDE = ["--override", "a test bank is too small to beat anything"]
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*noload:DeprecationWarning", "ignore:Operation with range:DeprecationWarning"
)


@dataclass(frozen=True)
class Bank:
    """A bank's desk: its files, and the commands in its environment."""

    folder: Path
    environment: Mapping[str, str]

    @property
    def uri(self) -> str:
        return self.environment.get(
            "SEEDRATE_TRACKING_URI", f"sqlite:///{self.folder / 'var' / 'mlflow.db'}"
        )

    @property
    def copies(self) -> Path:
        return self.folder / "var" / "models"

    def does(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments), env=dict(self.environment))

    def did(self, *arguments: str) -> str:
        result = self.does(*arguments)
        assert result.exit_code == 0, result.output + result.stderr
        return result.output

    def fits(self, *more: str) -> str:
        files = ("--columns", str(self.folder / "bank.toml"))
        data = ("--data", str(self.folder / "loans.csv"))
        return self.did("fit", *files, *data, "--quick", *more)

    def champion(self) -> Path:
        return registry.pull("seedrate", "champion", self.uri, self.copies)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    """Return a bank with one version, promoted."""
    folder = tmp_path_factory.mktemp("bank")
    write_bank_data(folder, rows=LOANS)
    bank = Bank(folder, {"SEEDRATE_VAR": str(folder / "var"), "COLUMNS": "200"})
    bank.fits()
    bank.did("promote", "--reason", "the first", *OVERRIDE)
    return bank


@pytest.fixture(scope="module", autouse=True)
def starting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Start a real MLflow server on the loopback interface; it takes a while to answer."""
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"]
    command += ["--port", str(port), "--backend-store-uri", f"sqlite:///{folder / 'server.db'}"]
    command += ["--artifacts-destination", str(folder / "files")]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{port}", folder / "log"
        finally:
            process.terminate()
            process.wait(timeout=20)


@pytest.fixture(scope="module")
def server(starting: tuple[str, Path]) -> str:
    """Return the address of the server, which answers by now."""
    address, log = starting
    _wait(f"{address}/health", log)
    return address


def _wait(address: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())


def frame(bank: Bank, rows: int) -> pd.DataFrame:
    """Return the bank's loans as a notebook holds them: columns that are asked, and terms."""
    column_set = sets.load(bank.folder / "bank.toml")
    known = read_book(bank.folder / "loans.csv", column_set).frame[:rows]
    asked = known.select([column.name for column in column_set.asked])
    repayment = ["linear", "annuity", "bullet", "linear"][:rows]
    loans = pd.DataFrame({"amount": 250_000, "term_months": 48, "repayment": repayment})
    return pd.concat([pd.DataFrame(asked.to_dicts()), loans], axis=1)


def test_a_notebook_gets_the_very_numbers_of_a_quote(bank: Bank) -> None:
    import mlflow

    mlflow.set_tracking_uri(bank.uri)
    mlflow.set_registry_uri(bank.uri)
    loans = frame(bank, 4)
    priced = mlflow.pyfunc.load_model("models:/seedrate@champion").predict(loans)

    model = artifact.read(bank.champion())
    pricer = Pricer(model, policy.load(currency=model.column_set.currency))
    asked = [column.name for column in pricer.model.column_set.asked]
    for number, row in enumerate(loans.to_dict(orient="records")):
        project = {name: row[name] for name in asked if not pd.isna(row[name])}
        terms = Terms(amount=250_000, term_months=48, repayment=row["repayment"])
        document = pricer.quote(project, TermLoan(terms)).document()
        assert list(priced.columns) == list(pyfunc.FIGURES)
        assert priced.loc[number, "rate"] == float(document["rate"])
        assert priced.loc[number, "spread_bps"] == float(document["spread_bps"])
        assert priced.loc[number, "pd_36"] == float(document["pd"]["36"])
        assert priced.loc[number, "lgd"] == float(document["lgd"])


def test_a_notebook_may_leave_out_what_is_not_known(bank: Bank) -> None:
    model = pyfunc._load_pyfunc(str(bank.champion()))
    loans = frame(bank, 2)
    optional = [c.name for c in model.pricer.model.column_set.asked if c.optional]
    blank = loans.assign(**dict.fromkeys(optional))
    absent = loans.drop(columns=optional)
    pd.testing.assert_frame_equal(model.predict(blank), model.predict(absent))


def test_a_notebook_is_told_every_fault_by_row(bank: Bank) -> None:
    model = pyfunc._load_pyfunc(str(bank.champion()))
    loans = frame(bank, 3)
    loans.loc[1, "term_months"] = 0
    loans.loc[2, "amount"] = -1
    with pytest.raises(InputError) as error:
        model.predict(loans.drop(columns="repayment"))
    fields = [fault.field for fault in error.value.faults]
    assert fields == [
        "row 0: terms.repayment",
        "row 1: terms.term_months",
        "row 1: terms.repayment",
        "row 2: terms.amount",
        "row 2: terms.repayment",
    ]


def test_a_run_holds_what_went_in_and_what_came_out(bank: Bank) -> None:
    with registry.client(bank.uri) as client:
        version = registry.version(client, "seedrate", "champion")
        assert version is not None
        run = client.get_run(version.run_id)
        papers = {file.path for file in client.list_artifacts(version.run_id)}
        drawn = {file.path for file in client.list_artifacts(version.run_id, "curves")}
    data = read_book(bank.folder / "loans.csv", sets.load(bank.folder / "bank.toml")).digest
    assert version.tags["data_digest"] == run.data.params["data.sha256"] == data
    assert run.inputs is not None
    contexts = {tag.value for given in run.inputs.dataset_inputs for tag in given.tags}
    assert contexts == {"training", "testing"}
    assert {"split.train_from", "split.test_from", "split.test_to"} <= set(run.data.params)
    names = ("auc_36m", "auc_36m_low", "auc_36m_high", "linear/auc_36m", "gain/auc_36m")
    rivals = ("scorecard/auc_36m", "gain_scorecard/auc_36m")
    assert {*names, *rivals, "vintage/auc_36m"} <= set(run.data.metrics)
    assert papers == {
        "curves",
        "evaluation.csv",
        "evaluation.json",
        "manifest.json",
        "validation.html",
        "validation.json",
    }
    assert {Path(path).stem for path in drawn} == {
        "calibration",
        "roc",
        "cumulative_default",
        "hazard_by_age",
        "vintages",
        "shap_beeswarm",
        "prices",
    }


def test_a_version_holds_data_and_no_code(bank: Bank) -> None:
    stored = next((bank.folder / "var" / "artifacts").rglob("MLmodel")).parent
    endings = {path.suffix for path in stored.rglob("*") if path.is_file()}
    assert endings <= {".json", ".txt", ".toml", ".npy", ".yaml", ""}
    assert "code: null" in (stored / "MLmodel").read_text()


def test_the_pack_of_the_run_is_the_one_sealed_with_the_model(bank: Bank) -> None:
    folder = bank.champion()
    sealed = (folder / "validation.json").read_bytes()
    assert "validation.json" in json.loads((folder / "manifest.json").read_text())["files"]
    recorded = list((bank.folder / "var" / "artifacts").glob("*/artifacts/validation.json"))
    assert sealed in [path.read_bytes() for path in recorded]
    found = json.loads(sealed)
    assert found["innovation"]["light"] == found["fairness"]["light"] == "grey"  # no marks
    card = artifact.read(folder).card["scorecard"]
    assert set(card["gains"]) == {"auc_36m", "log_loss_36m", "brier_36m"}


def test_its_own_directions_and_golden_prices_travel_with_a_model(bank: Bank) -> None:
    folder = bank.champion()
    model = artifact.read(folder)
    assert golden.check(model, folder) == golden.VECTORS
    assert model.card["metrics"]["auc_36m"]["low"] < model.card["metrics"]["auc_36m"]["high"]


def test_golden_vectors_notice_a_price_that_moved(bank: Bank, tmp_path: Path) -> None:
    folder = shutil.copytree(bank.champion(), tmp_path / "model")
    numbers = json.loads((folder / "numbers.json").read_text())
    numbers["overlay"][0][0] += 1e-6
    (folder / "numbers.json").write_text(json.dumps(numbers))
    model = artifact.read(folder, artifact.seal(folder))
    with pytest.raises(ModelError, match="golden vector 0 must have"):
        golden.check(model, folder)


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
            registry.pull("seedrate", "champion", bank.uri, tmp_path / "copies")
    finally:
        stored.write_text(sound)
    assert copies.Pointer.read(tmp_path / "copies") == before
    assert not (tmp_path / "copies" / before.digest).exists()
    assert [path.name for path in (tmp_path / "copies").iterdir()] == [copies.POINTER]


def test_a_damaged_local_copy_is_fetched_again(bank: Bank) -> None:
    folder = bank.champion()
    (folder / "card.json").write_text("{}")
    assert copies.find(bank.copies, folder.name) is None
    assert bank.champion() == folder
    assert copies.find(bank.copies, folder.name) == folder


def test_a_version_whose_digest_is_a_path_is_refused(bank: Bank, tmp_path: Path) -> None:
    with registry.client(bank.uri) as client:
        version = registry.version(client, "seedrate", "champion")
        assert version is not None
        try:
            client.set_model_version_tag("seedrate", version.number, "digest", "../../etc")
            with pytest.raises(ModelError, match="a SHA-256, however"):
                registry.pull("seedrate", "champion", bank.uri, tmp_path)
        finally:
            client.set_model_version_tag("seedrate", version.number, "digest", version.digest)


def test_a_server_pulls_in_a_child_process_without_mlflow_in_its_own(bank: Bank) -> None:
    command = [sys.executable, "-m", "models.registry", "pull", "--name", "seedrate"]
    command += ["--alias", "champion", "--uri", bank.uri, "--into", str(bank.copies)]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert Path(child.stdout.strip()) == bank.champion()
    imports = "import sys, models.registry, models.copies; print('mlflow' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", imports], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "False"


def test_a_registry_that_is_down_is_told_at_once_and_without_its_password(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(InputError) as error:
        registry.pull("seedrate", "champion", "http://me:secret@127.0.0.1:9", tmp_path)
    assert time.monotonic() - began < 5
    assert "no answer" in str(error.value)
    assert "secret" not in str(error.value)


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
    assert second.tags["override"] == OVERRIDE[1]
    assert second.tags["rolled_back_by"] == "bob"
    assert second.tags["rolled_back_why"] == "sector 5 looks wrong"
    refused = bank.does("rollback", "--reason", "once more")
    assert refused.exit_code == 2
    assert "seedrate had none" in refused.stderr
    assert "sector 5 looks wrong" in bank.did("status")


def test_evaluating_a_version_on_its_own_file_gives_the_figures_of_its_run(
    bank: Bank, tmp_path: Path
) -> None:
    out = tmp_path / "figures.csv"
    bank.did("evaluate", "--data", str(bank.folder / "loans.csv"), "--out", str(out))
    found = pd.read_csv(out)
    chosen = found[found.vintage.isna() & (found.horizon_months == 36)].set_index("metric").value
    card = artifact.read(bank.champion()).card
    for metric in ("auc", "log_loss", "brier"):
        kept = card["metrics"][f"{metric}_36m"]["value"]
        assert chosen[metric] == pytest.approx(kept, rel=1e-9)


def test_wrong_input_is_told_in_clear_lines(bank: Bank) -> None:
    wrong = bank.does("fit", "--columns", "nowhere.toml", "--data", "nowhere.csv")
    assert wrong.exit_code == 2
    assert wrong.stderr.startswith("columns must be one of early_stage, sba, or a TOML file")


def test_a_real_server_keeps_and_gives_a_model(bank: Bank, server: str) -> None:
    remote = Bank(bank.folder, {**bank.environment, "SEEDRATE_TRACKING_URI": server})
    remote.fits()
    remote.did("promote", "--reason", "over HTTP", *OVERRIDE)
    into = bank.folder / "remote"
    folder = registry.pull("seedrate", "champion", server, into)
    pointer = copies.Pointer.read(into)
    assert pointer is not None
    assert folder == into / pointer.digest
    assert golden.check(artifact.read(folder, pointer.digest), folder) == golden.VECTORS
