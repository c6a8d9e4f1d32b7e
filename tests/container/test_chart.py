"""The Helm chart, rendered by Helm: it makes what the kustomization makes, and what Kubernetes takes.

By `helm` where that is on the path, or by helm-python-sdk, which holds Helm's own library (`make test-helm`).
"""

import importlib.util
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from colocalization import __version__
from service.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/helm/colocalize"
KUBERNETES = ROOT / "deploy/kubernetes"

Manifests = dict[str, Any]


class ChartError(Exception):
    """Helm refuses the values."""


def rendered(values: dict[str, Any], release: str = "colocalize") -> Manifests:
    """What the chart makes, by kind."""
    if helm := shutil.which("helm"):
        command = [helm, "template", release, str(CHART), "--values", "-"]
        done = subprocess.run(command, input=yaml.safe_dump(values), capture_output=True, text=True)
        if done.returncode:
            raise ChartError(done.stderr)
        texts = [done.stdout]
    elif importlib.util.find_spec("helm_python"):
        import helm_python

        with helm_python.Chart.load(CHART) as chart:
            try:
                texts = list(chart.render(values, name=release).values())
            except helm_python.HelmError as error:
                raise ChartError(str(error)) from error
    else:
        pytest.skip("needs Helm: make test-helm")
    return {one["kind"]: one for text in texts for one in yaml.safe_load_all(text) if one}


def by_kustomize() -> Manifests:
    """The files of the kustomization for CPUs, by kind."""
    files = [path for path in (KUBERNETES / "cpu").glob("*.yaml") if path.name != "kustomization.yaml"]
    return {one["kind"]: one for one in map(yaml.safe_load, map(Path.read_text, files))}


def without_labels(manifest: Any) -> Any:
    """A manifest without the labels, in which the two differ: a chart's also name the release."""
    if isinstance(manifest, list):
        return [without_labels(one) for one in manifest]
    if not isinstance(manifest, dict):
        return manifest
    own = {name: value for name, value in manifest.items() if name not in ("labels", "matchLabels")}
    if manifest.get("selector", {}).get("app.kubernetes.io/name"):
        del own["selector"]
    return {name: without_labels(value) for name, value in own.items()}


def container(manifests: Manifests) -> dict[str, Any]:
    (found,) = manifests["Deployment"]["spec"]["template"]["spec"]["containers"]
    return dict(found)


def test_by_itself_it_is_the_kustomization() -> None:
    mine, theirs = rendered({}), by_kustomize()
    theirs["Deployment"]["spec"]["template"]["spec"]["containers"][0]["image"] += ":cpu"  # as kustomization.yaml says
    assert mine.keys() == theirs.keys()
    for kind, manifest in theirs.items():
        assert without_labels(mine[kind]) == without_labels(manifest), kind


def test_what_selects_pods_selects_those_of_the_release() -> None:
    made = rendered({}, "birds")
    labels = made["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert labels == {"app.kubernetes.io/name": "colocalize", "app.kubernetes.io/instance": "birds"}
    assert made["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert made["Service"]["spec"]["selector"] == labels
    assert made["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert {one["metadata"]["name"] for one in made.values()} == {"birds"}
    assert made["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == "birds"


def test_gpus_keys_settings_and_objects() -> None:
    values = {
        "image": {"tag": "gpu"}, "autoscaling": {"enabled": False}, "replicas": 3, "apiKeysSecret": "keys",
        "resources": {"cpu": 4, "memory": "6Gi", "gpus": 1}, "settings": {"COLOCALIZE_MAX_IMAGES": 128},
        "objects": {"enabled": True, "size": "5Gi", "storageClass": "nfs"},
    }  # fmt: skip
    made = rendered(values)
    assert "HorizontalPodAutoscaler" not in made
    assert made["Deployment"]["spec"]["replicas"] == 3
    got = container(made)
    assert got["resources"]["limits"] == {"cpu": "4", "memory": "6Gi", "nvidia.com/gpu": 1}
    assert {one["name"]: one["value"] for one in got["env"]} == {
        "COLOCALIZE_DRAIN_DELAY": "5", "COLOCALIZE_MAX_IMAGES": "128",
        "COLOCALIZE_API_KEYS_FILE": "/etc/colocalize/keys", "COLOCALIZE_OBJECTS_DIR": "/var/lib/colocalize",
    }  # fmt: skip
    assert Settings.unknown_variables(dict.fromkeys((one["name"] for one in got["env"]), "")) == []
    pod = made["Deployment"]["spec"]["template"]["spec"]
    assert {one["name"] for one in got["volumeMounts"]} == {one["name"] for one in pod["volumes"]}
    component = yaml.safe_load((KUBERNETES / "objects/kustomization.yaml").read_text())
    patch = yaml.safe_load(component["patches"][0]["patch"])["spec"]["template"]["spec"]
    assert patch["securityContext"].items() <= pod["securityContext"].items()
    claim = made["PersistentVolumeClaim"]
    (objects,) = [one for one in pod["volumes"] if one["name"] == "objects"]
    assert objects["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"] == "colocalize-objects"
    assert (claim["spec"]["storageClassName"], claim["spec"]["accessModes"]) == ("nfs", ["ReadWriteMany"])


@pytest.mark.parametrize(
    "values",
    [
        {"setings": {}},  # a typing error
        {"settings": {"max_images": 3}},  # no name of a variable
        {"resources": {"gpus": -1}},
        {"image": {"pullPolicy": "Sometimes"}},
    ],
)
def test_values_are_checked(values: dict[str, Any]) -> None:
    with pytest.raises(ChartError):
        rendered(values)


@pytest.mark.skipif(version("jsonschema").startswith("3."), reason="kubernetes-validate needs jsonschema 4")
@pytest.mark.parametrize("kubernetes", ["1.29", "1.35"])
def test_it_is_of_kubernetes_own_form(kubernetes: str) -> None:
    import kubernetes_validate

    for values in ({}, {"objects": {"enabled": True}, "apiKeysSecret": "keys", "resources": {"gpus": 1}}):
        for manifest in rendered(values).values():
            kubernetes_validate.validate(manifest, kubernetes, strict=True)


def test_it_has_the_version_of_the_package() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == __version__
