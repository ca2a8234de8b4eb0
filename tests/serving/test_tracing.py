"""Spans reach a collector that speaks OTLP over HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from serving.tracing import Exporter, Tracing
from tests.conftest import ROOT
from tests.loopback import listening
from tests.serving import known_key, small_model
from tests.serving.conftest import running
from tests.serving.http import HOST, ask, gate, office
from tests.serving.test_service import GOOD, call

TRACE, ABOVE = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"  # of the W3C's own example
PARENT = f"00-{TRACE}-{ABOVE}-01"


@contextmanager
def collector() -> Iterator[tuple[str, list[Span]]]:
    """Run a collector; yield its address and the list that it fills."""
    spans: list[Span] = []

    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert (self.path, self.headers["content-type"]) == (
                "/v1/traces",
                "application/x-protobuf",
            )
            body = self.rfile.read(int(self.headers["content-length"]))
            for one in ExportTraceServiceRequest.FromString(body).resource_spans:
                spans.extend(span for scope in one.scope_spans for span in scope.spans)
            self.send_response(200)
            self.end_headers()

    with listening(Take) as url:
        yield url, spans


def test_a_quote_of_a_built_bento_is_a_request_with_four_stages(tmp_path: Path) -> None:
    small_model.write(tmp_path / "var" / "models")
    known_key.write(tmp_path / "var")
    bentoml = [sys.executable, "-m", "bentoml"]
    with collector() as (url, spans):
        environ = {
            "BENTOML_HOME": str(tmp_path / "bentoml"),
            "NUMBA_DISABLE_JIT": "1",
            "SEEDRATE_TRACKING_URI": "off",
            "SEEDRATE_OTLP": url,
            "SEEDRATE_TRACE_SHARE": "0",
        }
        build = [*bentoml, "build", "--version", "traced"]
        subprocess.run(
            build,
            cwd=ROOT,
            env={**os.environ, "BENTOML_DO_NOT_TRACK": "True", **environ},
            check=True,
            capture_output=True,
        )
        serve = [*bentoml, "serve", "seedrate:traced"]
        with running(serve, environ, tmp_path, tmp_path / "log") as server:
            sent = {"Content-Type": "application/json", "traceparent": PARENT}
            status, headers, _ = call(f"{server}/v1/quotes", GOOD, sent)
            assert (status, headers["traceparent"]) == (201, PARENT)
            call(f"{server}/v1/quotes", GOOD)  # nobody asks for a trace of this one
    by_name = {span.name: span for span in spans}
    assert len(spans) == 5
    assert set(by_name) == {"POST /v1/quotes", "check", "price", "write", "record"}
    request = by_name.pop("POST /v1/quotes")
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, ABOVE)
    for stage in by_name.values():
        assert stage.parent_span_id == request.span_id
        assert request.start_time_unix_nano <= stage.start_time_unix_nano
        assert stage.end_time_unix_nano <= request.end_time_unix_nano
    said = {pair.key: pair.value.string_value for pair in request.attributes}
    assert said["seedrate.quote_id"] == headers["Location"].rpartition("/")[2]
    assert set(said) == {"http.route", "http.request.method", "http.response.status_code",
                         "seedrate.quote_id", "seedrate.request_id"}  # fmt: skip


def test_requests_are_answered_while_the_collector_is_away() -> None:
    tracing = Tracing(Exporter("http://127.0.0.1:9"), share=1.0, about={})
    app = tracing.around(gate(office(), observe=tracing.note))
    assert [ask(app, "GET", "/livez", headers=[HOST]).status for _ in range(50)] == [200] * 50
    tracing.close()


def test_opentelemetry_is_not_imported_unless_a_collector_is_named() -> None:
    program = "import sys, serving.app; print('opentelemetry' in sys.modules)"
    seen = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert seen == "False\n"
