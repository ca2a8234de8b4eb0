"""Spans for an OpenTelemetry collector: a request, and the stages of its quote.

Only a server that is told of a collector (SEEDRATE_OTLP) imports this file, and OpenTelemetry with
it. A thread sends what has ended, from a queue that drops when it is full: no quote waits for a
collector. The exporter is our own, as the usual one asks for versions of packages that others here
forbid; the protocol, OTLP/HTTP, is one POST of a protobuf message.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence

import httpx
from opentelemetry import context, trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourceProto
from opentelemetry.proto.trace.v1 import trace_pb2
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.answered import Answered
from serving.request_id import PARENT, traceparent

log = logging.getLogger("seedrate.tracing")

EXPORT_SECONDS = 2.0
EVERY_MILLISECONDS = 1_000.0
MOST_WAITING = 2_048
SILENT_SECONDS = 60.0  # between two lines that say the collector is away
NAMES = {
    "http.route": "route",
    "http.request.method": "method",
    "seedrate.code": "code",
    "seedrate.quote_id": "quote_id",
    "seedrate.request_id": "request_id",
}


class Tracing:
    """Makes spans, and has them sent."""

    def __init__(self, exporter: SpanExporter, *, share: float, about: Mapping[str, str]) -> None:
        """Begin.

        Args:
            exporter: sends spans.
            share: of the requests whose callers do not decide, in [0, 1].
            about: what is said of this process.
        """
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(share)),
            resource=Resource({"service.name": "seedrate", **about}),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                exporter,
                max_queue_size=MOST_WAITING,
                schedule_delay_millis=EVERY_MILLISECONDS,
            )
        )
        self._tracer = self._provider.get_tracer("seedrate")
        self._traces = TraceContextTextMapPropagator()

    def stage(self, stage: str, seconds: float) -> None:
        """Make the span of a stage that ends now, within the request under way."""
        if not trace.get_current_span().is_recording():
            return
        now_ns = time.time_ns()
        self._tracer.start_span(stage, start_time=now_ns - int(seconds * 1e9)).end(now_ns)

    def note(self, answered: Answered) -> None:
        """Say of the request under way how it was answered."""
        span = trace.get_current_span()
        if not span.is_recording():
            return
        for name, attribute in NAMES.items():
            if value := getattr(answered, attribute):
                span.set_attribute(name, value)
        span.set_attribute("http.response.status_code", answered.status)
        span.update_name(f"{answered.method} {answered.route}")
        if answered.status >= 500:
            span.set_status(StatusCode.ERROR)

    def around(self, app: ASGIApp) -> ASGIApp:
        """Return an application whose every request has a span."""

        async def traced(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            above = self._above(scope)
            with self._tracer.start_as_current_span(
                "request", above, kind=SpanKind.SERVER, record_exception=False
            ):
                await app(scope, receive, send)

        return traced

    def close(self) -> None:
        """Send what waits."""
        self._provider.shutdown()

    def _above(self, scope: Scope) -> context.Context:
        """Return the span of the caller, if one was named; nothing else is taken over."""
        given = traceparent(dict(scope["headers"]))
        named = {PARENT.decode(): given} if given else {}
        return self._traces.extract(named, context=context.Context())


class Exporter(SpanExporter):
    """Posts spans to a collector; what it does not take is lost, and said once a minute."""

    def __init__(self, address: str) -> None:
        """Name the collector; nothing is sent yet."""
        self._client = httpx.Client(timeout=EXPORT_SECONDS)
        self._address = f"{address}/v1/traces"
        self._said = float("-inf")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans."""
        kind = {"content-type": "application/x-protobuf"}
        try:
            body = message(spans).SerializeToString()
            self._client.post(self._address, content=body, headers=kind).raise_for_status()
        except httpx.HTTPError as error:
            if time.monotonic() - self._said > SILENT_SECONDS:
                self._said = time.monotonic()
                log.warning("%d spans were lost: %s", len(spans), type(error).__name__)
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Let the connection go."""
        self._client.close()


def message(spans: Sequence[ReadableSpan]) -> ExportTraceServiceRequest:
    """Return spans of one process as a collector takes them."""
    scope = InstrumentationScope(name="seedrate")
    within = trace_pb2.ScopeSpans(scope=scope, spans=[_span(one) for one in spans])
    about = ResourceProto(attributes=_pairs(spans[0].resource.attributes.items() if spans else ()))
    whole = trace_pb2.ResourceSpans(resource=about, scope_spans=[within])
    return ExportTraceServiceRequest(resource_spans=[whole])


def _span(span: ReadableSpan) -> trace_pb2.Span:
    parent, failed = span.parent, span.status.status_code is StatusCode.ERROR
    return trace_pb2.Span(
        trace_id=span.context.trace_id.to_bytes(16, "big"),
        span_id=span.context.span_id.to_bytes(8, "big"),
        parent_span_id=parent.span_id.to_bytes(8, "big") if parent else b"",
        name=span.name,
        kind=trace_pb2.Span.SPAN_KIND_SERVER
        if span.kind is SpanKind.SERVER
        else trace_pb2.Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=span.start_time or 0,
        end_time_unix_nano=span.end_time or 0,
        attributes=_pairs((span.attributes or {}).items()),
        status=trace_pb2.Status(
            code=trace_pb2.Status.STATUS_CODE_ERROR
            if failed
            else trace_pb2.Status.STATUS_CODE_UNSET
        ),
    )


def _pairs(attributes: Iterable[tuple[str, object]]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in attributes]


def _value(value: object) -> AnyValue:
    return (
        AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=str(value))
    )
