"""Writes dashboards/colocalize.json: python deploy/grafana/make_dashboard.py."""

import json
from pathlib import Path
from typing import Any

_SOURCE = {"type": "prometheus", "uid": "${source}"}
# In the queries below, $at stands for the selected instances and $win for the window of a rate.
_QUANTILES = (0.5, 0.95, 0.99)


def _panel(title: str, unit: str, queries: dict[str, str], about: str = "") -> dict[str, Any]:
    targets = [
        {"refId": chr(65 + i), "expr": query, "legendFormat": legend, "datasource": _SOURCE}
        for i, (legend, query) in enumerate(queries.items())
    ]
    return {
        "title": title, "description": about, "type": "timeseries", "datasource": _SOURCE, "targets": targets,
        "fieldConfig": {
            "defaults": {"unit": unit, "min": 0, "custom": {"lineWidth": 2, "fillOpacity": 8}},
            "overrides": [],
        },
        "options": {"tooltip": {"mode": "multi"}, "legend": {"displayMode": "list", "placement": "bottom"}},
    }  # fmt: skip


def _quantiles(metric: str, by: str = "") -> dict[str, str]:
    group, legend = (f"le, {by}", f" {{{{{by}}}}}") if by else ("le", "")
    return {
        f"p{100 * q:g}{legend}": f"histogram_quantile({q}, sum by ({group}) (rate({metric}_bucket{{$at}}$win)))"
        for q in _QUANTILES
    }


def _rate(metric: str, by: str) -> dict[str, str]:
    return {f"{{{{{by}}}}}": f"sum by ({by}) (rate({metric}{{$at}}$win))"}


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana reads it."""
    work = 'path=~"/colocalize|/objects/.+|/v2/models/.+/infer|/labelstudio/predict",$at'
    panels = [
        _panel("Requests by status", "reqps", {
            "{{status}} {{code}}": f"sum by (status, code) (rate(colocalize_requests_total{{{work}}}$win))",
        }),
        _panel("Time to answer", "s", {
            name: query.replace("$at", work) for name, query in _quantiles("colocalize_request_seconds").items()
        }),
        _panel("Requests by address", "reqps", _rate("colocalize_requests_total", "path")),
        _panel("Images by result", "cps", _rate("colocalize_images_total", "code")),
        _panel("Images waiting", "short", {
            "waiting": "sum(colocalize_pending_images{$at})", "limit": "sum(colocalize_pending_images_limit{$at})",
        }, "Beyond the limit requests get 429."),
        _panel("Age of the oldest request", "s", {"{{instance}}": "colocalize_oldest_request_age_seconds{$at}"}),
        _panel("Measured rate", "cps", {"{{instance}}": "colocalize_images_per_second{$at}"},
               "Images per second while there is work; Retry-After comes from it."),
        _panel("Time in each stage, 95 %", "s", {
            "{{stage}}":
                "histogram_quantile(0.95, sum by (le, stage) (rate(colocalize_stage_seconds_bucket{$at}$win)))",
        }, "Of one image (decode, postprocess) or one batch (inference)."),
        _panel("Share of a core in each stage", "percentunit", _rate("colocalize_stage_seconds_sum", "stage")),
        _panel("Images in a batch", "short", {
            "mean":
                "sum(rate(colocalize_batch_size_sum{$at}$win)) / sum(rate(colocalize_batch_size_count{$at}$win))",
        }),
        _panel("Current run of the network", "s", {"{{instance}}": "colocalize_inference_running_seconds{$at}"}),
        _panel("Uploads", "Bps", {"read": "sum(rate(colocalize_upload_bytes_total{$at}$win))"}),
        _panel("Bytes of uploads held", "bytes", {"{{instance}}": "colocalize_buffered_bytes{$at}"}),
        _panel("Resident memory of each worker", "bytes", {
            "{{instance}} {{pid}}": "colocalize_worker_resident_bytes{$at}",
        }),
        _panel("Workers ready", "short", {"{{instance}}": "colocalize_ready_workers{$at}"}),
        _panel("Model", "short", {"{{name}} {{sha256}} {{provider}}": "colocalize_model_info{$at} == 1"}),
        _panel("Reloads", "short", {
            "{{result}}": "sum by (result) (increase(colocalize_model_reloads_total{$at}$win))",
        }),
    ]  # fmt: skip
    for index, panel in enumerate(panels):
        panel["id"] = index + 1
        panel["gridPos"] = {"h": 8, "w": 8, "x": 8 * (index % 3), "y": 8 * (index // 3)}
        for target in panel["targets"]:
            told = target["expr"].replace("$at", 'instance=~"$instance"')
            target["expr"] = told.replace("$win", "[$__rate_interval]")
    instances = {
        "name": "instance", "type": "query", "datasource": _SOURCE, "includeAll": True, "multi": True, "refresh": 2,
        "query": {"query": "label_values(colocalize_ready_workers, instance)", "refId": "instance"},
        "current": {"text": "All", "value": "$__all"},
    }  # fmt: skip
    return {
        "uid": "colocalize", "title": "Colocalize", "schemaVersion": 39, "editable": True, "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"}, "tags": ["colocalize"], "panels": panels,
        "templating": {"list": [{"name": "source", "type": "datasource", "query": "prometheus"}, instances]},
    }  # fmt: skip


if __name__ == "__main__":
    target = Path(__file__).parent / "dashboards" / "colocalize.json"
    target.write_text(json.dumps(dashboard(), indent=2) + "\n", encoding="utf-8")
