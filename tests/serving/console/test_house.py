"""The house without a browser: doors, words, sessions, forms and refusals."""

from __future__ import annotations

import re
import time
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

import pytest

from serving.access import root
from serving.access.caller import SCOPES
from serving.app import Server
from serving.console.words import LANGUAGES, catalogue
from serving.doors import PAGES, PUBLIC, Door
from serving.problem import PROBLEMS
from tests.serving.http import HOST, Answer, Header, address, ask
from tests.serving.known_key import KEY

FORM: Header = (b"content-type", b"application/x-www-form-urlencoded")
CLOSED = [door for door in PAGES if door.scope != PUBLIC and door.method == "GET"]
FOLDER = Path(__file__).parents[3] / "serving" / "console"


class Browser:
    """Keeps cookies, and sends forms as a page of ours does."""

    def __init__(self, server: Server) -> None:
        self.gate = server.gate()
        self.cookies: dict[str, str] = {}

    def get(self, path: str, *more: Header) -> Answer:
        path, _, query = path.partition("?")
        answer = ask(self.gate, "GET", path, b"", [*self._sent(), *more], query.encode())
        return self._kept(answer)

    def post(self, path: str, *more: Header, **fields: str) -> Answer:
        headers = [*self._sent(), FORM, *more]
        return self._kept(ask(self.gate, "POST", path, urlencode(fields).encode(), headers))

    def sign_in(self, key: str = KEY, **more: str) -> Answer:
        token = token_of(self.get("/console/sign-in"))
        return self.post("/console/sign-in", token=token, key=key, **more)

    def _sent(self) -> list[Header]:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return [HOST, (b"cookie", cookies.encode())] if cookies else [HOST]

    def _kept(self, answer: Answer) -> Answer:
        for value in answer.all("set-cookie"):
            for name, morsel in SimpleCookie(value).items():
                self.cookies[name] = morsel.value
                if morsel["max-age"] == "0":
                    del self.cookies[name]
        return answer


def token_of(answer: Answer) -> str:
    found = re.search(r'name="token" value="([0-9a-f]{64})"', answer.body.decode())
    assert found
    return found[1]


def key_of(server: Server, scopes: set[str], tenant: str = "bank") -> str:
    store = root.key_store(server.settings)
    client = f"c{time.monotonic_ns()}"
    made = store.create(tenant, client, frozenset(scopes), int(time.time()) + 600)
    store.close()
    return made.text


@pytest.fixture
def browser(server: Server) -> Browser:
    return Browser(server)


def test_every_page_has_an_answer_and_a_scope(server: Server) -> None:
    answered = set(server.console.answers) | {("GET", "/console/static/{digest}/{asset}")}
    assert answered == {(door.method, door.path) for door in PAGES}
    assert {door.scope for door in PAGES} <= {*SCOPES, PUBLIC}
    assert all(page.scope in SCOPES for page in server.console.pages if page.leads)


def test_both_languages_say_the_same_things_with_the_same_values() -> None:
    one, other = (catalogue(language).texts for language in LANGUAGES)
    assert set(one) == set(other)
    holes = re.compile(r"\{\w*[^}]*\}")
    for key, text in one.items():
        assert sorted(holes.findall(text)) == sorted(holes.findall(other[key])), key
        assert text.strip(), key


def test_every_word_that_a_page_asks_for_is_there() -> None:
    asked = {
        key
        for path in FOLDER.rglob("*.html")
        for key in re.findall(r"\bt\('([a-z_.]+)'[,)]", path.read_text("utf-8"))
    }
    assert asked - set(catalogue("en").texts) == set()
    statuses = {problem.status for problem in PROBLEMS}
    titled = {key.split(".")[1] for key in catalogue("en").texts if key.startswith("refusal.4")}
    assert {str(status) for status in statuses if status < 500} <= titled


@pytest.mark.parametrize("door", CLOSED, ids=lambda door: door.path)
def test_a_stranger_is_led_to_the_sign_in(browser: Browser, door: Door) -> None:
    answer = browser.get(address(door) + "?grade=3")
    assert answer.status == 303
    assert answer.headers["location"].startswith("/console/sign-in?next=%2Fconsole%2F")


@pytest.mark.parametrize("door", CLOSED, ids=lambda door: door.path)
def test_what_a_key_does_not_open_is_not_there(server: Server, door: Door) -> None:
    browser = Browser(server)
    bearer = (b"authorization", f"Bearer {key_of(server, {'price'})}".encode())
    answer = browser.get(address(door), bearer)
    nowhere = browser.get("/console/nothing-here", bearer)
    assert (answer.status, nowhere.status) == (404, 404)
    assert main_of(answer) == main_of(nowhere)


def main_of(answer: Answer) -> str:
    found = re.search(r"<main.*</main>", answer.body.decode(), re.DOTALL)
    assert found
    return found[0]


def test_a_key_opens_a_session_and_signing_out_ends_it(browser: Browser) -> None:
    answer = browser.sign_in(next="/console/quotes?grade=3")
    assert (answer.status, answer.headers["location"]) == (303, "/console/quotes?grade=3")
    (cookie,) = (c for c in answer.all("set-cookie") if c.startswith("seedrate_session"))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/console" in cookie
    assert "Secure" not in cookie  # on this machine there is no TLS
    kept = browser.cookies["seedrate_session"]
    page = browser.get("/console/quotes")
    assert page.status == 200
    assert browser.post("/console/sign-out", token=token_of(page)).status == 303
    assert "seedrate_session" not in browser.cookies
    browser.cookies["seedrate_session"] = kept
    assert browser.get("/console/quotes").status == 303


def test_elsewhere_the_cookie_is_for_tls_alone(server: Server) -> None:
    gate = server.gate()
    headers = [(b"host", b"127.0.0.1:3000")]
    assert "secure" not in ask(gate, "GET", "/console/sign-in", b"", headers).all("set-cookie")[0]
    object.__setattr__(gate, "hosts", frozenset({"*"}))
    headers = [(b"host", b"risk.bank.example")]
    assert "Secure" in ask(gate, "GET", "/console/sign-in", b"", headers).all("set-cookie")[0]


def test_a_revoked_key_ends_its_sessions_at_once(server: Server) -> None:
    browser, key = Browser(server), key_of(server, {"console:read"})
    browser.sign_in(key)
    assert browser.get("/console/quotes").status == 200
    store = root.key_store(server.settings)
    store.revoke(key.split("_")[2])
    store.close()
    assert browser.get("/console/quotes").status == 303


@pytest.mark.parametrize(
    ("key", "says"),
    [("sr_live_nonsense", "wrong"), ("", "wrong"), (None, "opens_nothing")],
)
def test_a_key_that_does_not_open_the_console_is_told_so(
    server: Server, key: str | None, says: str
) -> None:
    browser = Browser(server)
    answer = browser.sign_in(key_of(server, {"price"}) if key is None else key)
    assert answer.status == 422
    assert catalogue("en")(f"sign_in.{says}") in answer.body.decode()
    assert "seedrate_session" not in browser.cookies


def test_a_form_without_its_token_is_refused(server: Server, browser: Browser) -> None:
    assert browser.post("/console/sign-in", key=KEY).status == 403
    browser.get("/console/sign-in")
    assert browser.post("/console/sign-in", key=KEY, token="0" * 64).status == 403
    elsewhere = Browser(server)
    other = token_of(elsewhere.get("/console/sign-in"))
    assert browser.post("/console/sign-in", key=KEY, token=other).status == 403


@pytest.mark.parametrize(
    "header",
    [
        (b"sec-fetch-site", b"cross-site"),
        (b"origin", b"https://evil.example"),
        (b"origin", b"null"),
    ],
)
def test_a_form_of_another_site_is_refused(browser: Browser, header: Header) -> None:
    token = token_of(browser.get("/console/sign-in"))
    assert browser.post("/console/sign-in", header, key=KEY, token=token).status == 403


def test_the_way_on_never_leaves_the_console(browser: Browser) -> None:
    answer = browser.sign_in(next="https://evil.example/console/")
    assert answer.headers["location"] == "/console/quotes"


def test_the_language_is_the_readers(browser: Browser) -> None:
    chinese = browser.get("/console/sign-in", (b"accept-language", b"zh-CN,zh;q=0.9"))
    assert 'lang="zh-Hans"' in chinese.body.decode()
    assert 'lang="en"' in browser.get("/console/sign-in?language=en").body.decode()
    kept = browser.get("/console/sign-in", (b"accept-language", b"zh-CN"))
    assert 'lang="en"' in kept.body.decode()


def test_pages_carry_their_own_headers_and_the_rest_carries_what_it_did(browser: Browser) -> None:
    headers = browser.get("/console/sign-in").headers
    assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    (sheet,) = re.findall(
        r'href="(/console/static/[^"]+css)"', browser.get("/console/sign-in").body.decode()
    )
    plain, packed = (
        browser.get(sheet),
        browser.get(sheet, (b"accept-encoding", b"gzip")),
    )
    assert "immutable" in plain.headers["cache-control"]
    assert packed.headers["content-encoding"] == "gzip"
    assert len(packed.body) < len(plain.body) / 3
    assert browser.get(sheet.replace("/static/", "/static/0")).status == 404
    assert browser.get("/console/static/0000000000000000/console.css").status == 404
