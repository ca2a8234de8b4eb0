"""What the environment may set, read once and checked all at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from models.keys import SIGNING, TRUSTED
from pricing.errors import InputError
from serving.reader import Reader

OFF = "off"
WHOLE_DAY = 86_400


@dataclass(frozen=True)
class Setting:
    """One environment variable: its default as text, and what it means."""

    name: str
    default: str
    meaning: str


SETTINGS = (
    Setting("SEEDRATE_VAR", "var", "Folder of everything a run writes; made if absent."),
    Setting(
        "SEEDRATE_TRACKING_URI",
        "sqlite:///var/mlflow.db",
        "MLflow server or database that names the champion; `off` serves the newest local copy. "
        "The default lies in the folder that SEEDRATE_VAR names.",
    ),
    Setting("SEEDRATE_MODEL", "seedrate", "Name of the registered model."),
    Setting("SEEDRATE_ALIAS", "champion", "Alias of the version to serve."),
    Setting(
        "SEEDRATE_TRUSTED_KEYS",
        "var/keys/trusted.txt",
        "File of public keys, one a line: only what one of them has signed serves. "
        "The default lies in the folder that SEEDRATE_VAR names.",
    ),
    Setting("SEEDRATE_POLICY", "", "Path of a policy TOML file; empty is the embedded example."),
    Setting(
        "SEEDRATE_HOSTS",
        "localhost,127.0.0.1,[::1]",
        "Names under which callers may reach the server (the Host header, without port), "
        "separated by commas; `*` allows any.",
    ),
    Setting(
        "SEEDRATE_TIMEOUT_SECONDS",
        "10",
        "Longest time from a request's first byte to its answer, in (0, 14].",
    ),
    Setting(
        "SEEDRATE_PULL_SECONDS",
        "60",
        "Longest time that fetching a model may take, in (0, 600].",
    ),
    Setting(
        "SEEDRATE_MODELS_KEPT",
        "100",
        "Copies of models kept in `var/models`, those that served last, 1 to 100000; a quote of a "
        "model that is gone cannot be priced again.",
    ),
    Setting(
        "SEEDRATE_POLL_SECONDS",
        "10",
        "Time between two looks at the alias, in [0, 3600], give or take a fifth; 0 looks at start "
        "alone.",
    ),
    Setting(
        "SEEDRATE_SHADOW_SHARE",
        "0",
        "Share of the recorded quotes that the alias `challenger` prices too, unseen by callers, "
        "in [0, 1].",
    ),
    Setting(
        "SEEDRATE_AUDIT_SHARE",
        "0.02",
        "Share of the quotes whose explanation is held against exact values, in [0, 1]; the "
        "quote's id decides which.",
    ),
    Setting(
        "SEEDRATE_AT_ONCE",
        "64",
        "Requests for prices in progress at once, of all tenants, 1 to 100000; above it a quote is "
        "refused with 503, a batch above three quarters, a what-if above half of it.",
    ),
    Setting(
        "SEEDRATE_LEDGER_QUEUE",
        "4096",
        "Quotes that may wait to be recorded, 1 to 100000; above it a quote is refused with 503.",
    ),
    Setting(
        "SEEDRATE_LEDGER",
        "",
        "Address of a PostgreSQL database that keeps the ledger, `postgresql://...`; empty is "
        "SQLite, `var/ledger.db`.",
    ),
    Setting(
        "SEEDRATE_LEDGER_KEY",
        "",
        "Path of the private key that signs checkpoints; empty is `var/ledger/signing.key`, made "
        "where it is absent.",
    ),
    Setting(
        "SEEDRATE_LEDGER_ORIGIN",
        "localhost/seedrate",
        "Name of the log in its checkpoints, such as `ledger.bank.example/quotes`; for ever.",
    ),
    Setting(
        "SEEDRATE_RETENTION_YEARS",
        "7",
        "Age from which `ledger erase --expired` erases requests and replies, 1 to 100.",
    ),
    Setting(
        "SEEDRATE_ACCESS",
        "sqlite:///var/access.db",
        "Database of the API keys, as an SQLAlchemy URL. "
        "The default lies in the folder that SEEDRATE_VAR names.",
    ),
    Setting(
        "SEEDRATE_PEPPER",
        "var/keys/pepper",
        "File without which the stored digests of keys are worth nothing; made with the first key. "
        "The default lies in the folder that SEEDRATE_VAR names.",
    ),
    Setting(
        "SEEDRATE_JWKS",
        "",
        "Path or address (https, or http on this machine) of the public keys of an issuer of "
        "tokens; empty takes no tokens.",
    ),
    Setting("SEEDRATE_JWT_ISSUER", "", "What a token's `iss` must be; needed with SEEDRATE_JWKS."),
    Setting(
        "SEEDRATE_JWT_AUDIENCE", "", "What a token's `aud` must name; needed with SEEDRATE_JWKS."
    ),
    Setting("SEEDRATE_JWT_TENANT_CLAIM", "tenant", "Claim that names the tenant."),
    Setting(
        "SEEDRATE_JWT_SCOPE_CLAIM",
        "scope",
        "Claim that names the scopes, as words of a text or as a list.",
    ),
    Setting(
        "SEEDRATE_JWT_SECONDS", "600", "Longest life of a token, `exp` less `nbf`, in (0, 86400]."
    ),
    Setting(
        "SEEDRATE_LIMIT_PRICE",
        "6000",
        "Quotes that a tenant may ask for in a minute, 1 to 10000000; each of a batch counts.",
    ),
    Setting("SEEDRATE_LIMIT_EXPLAIN", "600", "What-ifs of a tenant in a minute, 1 to 10000000."),
    Setting(
        "SEEDRATE_LIMIT_LEDGER",
        "600",
        "Requests of a tenant for what is recorded, in a minute, 1 to 10000000.",
    ),
    Setting(
        "SEEDRATE_CONSOLE_PROMOTES",
        "off",
        "`on` lets the server run a promotion or rollback that two persons have agreed on in the "
        "console; `off` shows them the command.",
    ),
    Setting(
        "SEEDRATE_BOOK_MIB",
        "64",
        "Largest book that can be uploaded in the console, in MiB, 1 to 1024.",
    ),
    Setting(
        "SEEDRATE_BOOK_DAYS",
        "7",
        "Days after which an uploaded book and its results are erased, 1 to 365.",
    ),
    Setting("SEEDRATE_LIMIT_AT_ONCE", "64", "Requests of a tenant under way at once, 1 to 100000."),
    Setting(
        "SEEDRATE_LOG",
        "auto",
        "How the log is written on stderr: `json`, one object a line; `text`; or `auto`, text on a "
        "terminal and JSON elsewhere.",
    ),
    Setting(
        "SEEDRATE_LOG_SHARE",
        "0.01",
        "Share of the answers with a status below 500 that get a line in the log, in [0, 1]; the "
        "others always get one.",
    ),
    Setting(
        "SEEDRATE_OTLP",
        "",
        "Address of an OpenTelemetry collector that takes spans over HTTP, such as "
        "`http://localhost:4318`; empty makes none.",
    ),
    Setting(
        "SEEDRATE_TRACE_SHARE",
        "0.05",
        "Share of the requests that are traced, in [0, 1]; a caller's `traceparent` decides for "
        "its own.",
    ),
)


@dataclass(frozen=True)
class AccessSettings:
    """Where the keys of callers are, whose tokens are taken, and how much a tenant may ask."""

    url: str = field(repr=False)  # it may hold a password
    pepper: Path
    jwks: str  # a path or an address; "": no tokens are taken
    issuer: str
    audience: str
    tenant_claim: str
    scope_claim: str
    token_seconds: float
    per_minute: Mapping[str, int]  # by budget
    at_once: int


@dataclass(frozen=True)
class Telling:
    """What a server tells of its work, beside its metrics."""

    log: str  # auto, json or text
    log_share: float
    otlp: str  # "": no spans
    trace_share: float


@dataclass(frozen=True)
class Settings:
    """The settings as values; paths are absolute."""

    var: Path
    tracking_uri: str | None  # None: never ask a registry
    model: str
    alias: str
    trusted_keys: Path
    policy: Path | None
    hosts: frozenset[str]  # in lower case; {"*"} is any
    timeout_seconds: float
    pull_seconds: float
    models_kept: int  # copies
    poll_seconds: float  # 0: never after the start
    shadow_share: float
    audit_share: float
    at_once: int
    ledger_queue: int
    database: str | None = field(repr=False)  # of the ledger, with its password; None: SQLite
    ledger_key: Path
    makes_key: bool  # of the ledger, where there is none
    origin: str  # of the ledger
    retention_years: int
    console_promotes: bool
    book_mib: int
    book_days: int
    access: AccessSettings
    telling: Telling

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Settings:
        """Read every setting.

        Raises:
            InputError: names each setting that is not as docs/settings.md says.

        >>> Settings.read({"SEEDRATE_ALIAS": "candidate"}).alias
        'candidate'
        """
        text = {setting.name: environ.get(setting.name, setting.default) for setting in SETTINGS}
        reader = Reader(text, [])
        var = Path(text["SEEDRATE_VAR"] or "var").absolute()
        uri = environ.get("SEEDRATE_TRACKING_URI") or f"sqlite:///{var / 'mlflow.db'}"
        trusted, policy = environ.get("SEEDRATE_TRUSTED_KEYS"), text["SEEDRATE_POLICY"]
        key = text["SEEDRATE_LEDGER_KEY"]
        settings = cls(
            var=var,
            tracking_uri=None if uri == OFF else uri,
            model=reader.name("SEEDRATE_MODEL"),
            alias=reader.name("SEEDRATE_ALIAS"),
            trusted_keys=Path(trusted or var / "keys" / TRUSTED).absolute(),
            policy=Path(policy).absolute() if policy else None,
            hosts=reader.hosts("SEEDRATE_HOSTS"),
            timeout_seconds=reader.number("SEEDRATE_TIMEOUT_SECONDS", most=14),
            pull_seconds=reader.number("SEEDRATE_PULL_SECONDS", most=600),
            models_kept=reader.count("SEEDRATE_MODELS_KEPT", most=100_000),
            poll_seconds=reader.least("SEEDRATE_POLL_SECONDS", most=3600),
            shadow_share=reader.share("SEEDRATE_SHADOW_SHARE"),
            audit_share=reader.share("SEEDRATE_AUDIT_SHARE"),
            at_once=reader.count("SEEDRATE_AT_ONCE", most=100_000),
            ledger_queue=reader.count("SEEDRATE_LEDGER_QUEUE", most=100_000),
            database=reader.postgres("SEEDRATE_LEDGER"),
            ledger_key=Path(key or var / "ledger" / SIGNING).absolute(),
            makes_key=not key,
            origin=reader.origin("SEEDRATE_LEDGER_ORIGIN"),
            retention_years=reader.count("SEEDRATE_RETENTION_YEARS", most=100),
            console_promotes=reader.switch("SEEDRATE_CONSOLE_PROMOTES"),
            book_mib=reader.count("SEEDRATE_BOOK_MIB", most=1024),
            book_days=reader.count("SEEDRATE_BOOK_DAYS", most=365),
            access=_access(reader, environ, var),
            telling=_telling(reader),
        )
        if reader.faults:
            raise InputError(reader.faults)
        return settings

    @property
    def ledger(self) -> Path:
        """Return the file in which acknowledged quotes are kept."""
        return self.var / "ledger.db"

    @property
    def held(self) -> Path:
        """Return the file of the newest checkpoint that was signed here."""
        return self.var / "ledger" / "checkpoint"

    @property
    def audit(self) -> Path:
        """Return the file in which is noted what happens to keys and callers."""
        return self.var / "audit.jsonl"

    @property
    def anchors(self) -> Path:
        """Return the folder of what outsiders have attested about the ledger."""
        return self.var / "ledger" / "anchors"

    @property
    def shadow(self) -> Path:
        """Return the file of what the challenger would have asked."""
        return self.var / "shadow.db"

    @property
    def books(self) -> Path:
        """Return the folder of books that people have uploaded."""
        return self.var / "books"

    @property
    def policies(self) -> Path:
        """Return the folder of every policy that was quoted under, by digest."""
        return self.var / "policies"

    @property
    def key_file(self) -> Path:
        """Return the file of the key that this machine's own commands use."""
        return self.var / "keys" / "caller.key"

    @property
    def models(self) -> Path:
        """Return the folder of verified local copies of models."""
        return self.var / "models"


def _access(reader: Reader, environ: Mapping[str, str], var: Path) -> AccessSettings:
    text, jwks = reader.text, reader.source("SEEDRATE_JWKS")
    if jwks:
        reader.demand("SEEDRATE_JWT_ISSUER", "SEEDRATE_JWT_AUDIENCE")
    return AccessSettings(
        url=reader.database(
            "SEEDRATE_ACCESS", environ.get("SEEDRATE_ACCESS") or f"sqlite:///{var / 'access.db'}"
        ),
        pepper=Path(environ.get("SEEDRATE_PEPPER") or var / "keys" / "pepper").absolute(),
        jwks=jwks,
        issuer=text["SEEDRATE_JWT_ISSUER"],
        audience=text["SEEDRATE_JWT_AUDIENCE"],
        tenant_claim=text["SEEDRATE_JWT_TENANT_CLAIM"],
        scope_claim=text["SEEDRATE_JWT_SCOPE_CLAIM"],
        token_seconds=reader.number("SEEDRATE_JWT_SECONDS", most=WHOLE_DAY),
        per_minute={
            "price": reader.count("SEEDRATE_LIMIT_PRICE", most=10_000_000),
            "explain": reader.count("SEEDRATE_LIMIT_EXPLAIN", most=10_000_000),
            "ledger": reader.count("SEEDRATE_LIMIT_LEDGER", most=10_000_000),
        },
        at_once=reader.count("SEEDRATE_LIMIT_AT_ONCE", most=100_000),
    )


def _telling(reader: Reader) -> Telling:
    return Telling(
        log=reader.one_of("SEEDRATE_LOG", ("auto", "json", "text")),
        log_share=reader.share("SEEDRATE_LOG_SHARE"),
        otlp=reader.address("SEEDRATE_OTLP"),
        trace_share=reader.share("SEEDRATE_TRACE_SHARE"),
    )
