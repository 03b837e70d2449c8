"""The server itself: whether it runs, whether it is ready, its metrics, and the API's description."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, jsonify, request

from webui.openapi.documents import Health, Readiness
from webui.openapi.operations import describe, operation
from webui.services import services

health = Blueprint("health", __name__)


@health.get("/healthz")
@operation(answer=Health)
def healthz() -> Response:
    """200 as soon as the server answers at all."""
    return jsonify({"status": "ok"})


@health.get("/readyz")
@operation(answer=Readiness, problems=(503,))
def readyz() -> Response:
    """200 once the captioner is loaded and the store can be read; before that 503 with the reason."""
    version = services().describer.captioner().model_version
    services().library.store.generation()
    return jsonify({"status": "ready", "model_version": version})


@health.get("/metrics")
@operation(answer=str, media="text/plain", problems=(503,))
def metrics() -> Response:
    """Metrics for Prometheus."""
    return Response(services().metrics.page(), content_type="text/plain; version=0.0.4; charset=utf-8")


@health.get("/api/v1/openapi.json")
@operation(answer=dict, problems=(503,))
def openapi() -> Response:
    """This API's description."""
    return jsonify(describe(current_app) | {"servers": [{"url": request.script_root or "/"}]})
