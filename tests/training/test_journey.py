"""A bank's own loans, from its CSV file to a champion, by the commands that a person types."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from features import sets
from features.book import read_book
from models import alias, artifact, copies, golden, pyfunc, registry
from models.pricer import Pricer
from pricing import policy
from pricing.errors import InputError, ModelError
from pricing.instruments.term_loan import TermLoan
from pricing.schedule import Terms
from tests.training.desk import OVERRIDE, Bank

ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*noload:DeprecationWarning", "ignore:Operation with range:DeprecationWarning"
)


@pytest.fixture(scope="module", autouse=True)
def early(starting: tuple[str, Path]) -> None:
    """Let the server start while the first model is fitted."""


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


def test_a_damaged_local_copy_is_fetched_again(bank: Bank) -> None:
    folder = bank.champion()
    (folder / "card.json").write_text("{}")
    assert copies.find(bank.copies, folder.name) is None
    assert bank.champion() == folder
    assert copies.find(bank.copies, folder.name) == folder


def test_a_server_pulls_in_a_child_process_without_mlflow_in_its_own(bank: Bank) -> None:
    command = [sys.executable, "-m", "models.registry", "pull", "--name", "seedrate"]
    command += ["--alias", "champion", "--uri", bank.uri, "--into", str(bank.copies)]
    command += ["--trusted", str(bank.trusted)]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert copies.Pointer.parse(child.stdout).digest == bank.champion().name
    imports = "import sys, models.registry, models.copies; print('mlflow' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", imports], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "False"


def test_a_registry_that_is_down_is_told_at_once_and_without_its_password(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(InputError) as error:
        registry.pull("seedrate", "champion", "http://me:secret@127.0.0.1:9", tmp_path, {})
    assert time.monotonic() - began < 5
    assert "no answer" in str(error.value)
    assert "secret" not in str(error.value)


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
    folder = remote.pulls(into)
    pointer = copies.Pointer.read(into)
    assert pointer is not None
    assert folder == into / pointer.digest
    with registry.client(server) as client:
        told = registry.version(client, "seedrate", "champion")
    found = alias.named(server, "seedrate", "champion", {})
    assert found == told
    assert alias.named(server, "seedrate", "nobody", {}) is None
    assert alias.named(server, "another", "champion", {}) is None
    assert golden.check(artifact.read(folder, pointer.digest), folder) == golden.VECTORS
