"""The files of `deploy/` agree with the image, with each other and with the service's settings."""

import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.http.paths import V2_LIVE, V2_READY
from service.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def _all_services() -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]
    return services


def _compose_services() -> dict[str, dict[str, Any]]:
    """Those that run this project's image."""
    return {name: service for name, service in _all_services().items() if "build" in service}


def _pod() -> dict[str, Any]:
    deployment = yaml.safe_load((KUBERNETES / "cpu/deployment.yaml").read_text())
    pod: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return pod


def _seconds(duration: str) -> float:
    number, unit = duration[:-1], duration[-1]
    assert unit == "s"
    return float(number)


def test_stages_run_as_the_user_that_kubernetes_sets() -> None:
    users = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    context = _pod()["securityContext"]
    assert users == [f"{context['runAsUser']}:{context['runAsGroup']}"] * 2


def test_default_target_is_the_cpu() -> None:
    assert re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE)[-1] == "cpu"


def test_health_checks_of_image_and_compose_are_the_same_program() -> None:
    checks = [json.loads(command) for command in re.findall(r"^HEALTHCHECK .* CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)]
    checks += [service["healthcheck"]["test"][1:] for service in _compose_services().values()]
    assert checks == [["/opt/colocalize/bin/python", "-I", "-m", "service.process.healthcheck"]] * 4


def test_what_the_image_listens_on_can_be_set_by_variables() -> None:
    commands = re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert commands == ['["serve"]'] * 2  # options would win over `docker run --env COLOCALIZE_PORT=...`
    assert DOCKERFILE.count("COLOCALIZE_HOST=0.0.0.0 COLOCALIZE_PORT=8000") == 2


@pytest.mark.parametrize("name", ["cpu", "gpu"])
def test_compose_hardens_each_service(name: str) -> None:
    service = _compose_services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert {"cpus", "memory", "pids"} <= service["deploy"]["resources"]["limits"].keys()
    assert service["build"]["target"] == name


def test_compose_waits_for_the_drain() -> None:
    drain = Settings.model_fields["drain_delay"].default + Settings.model_fields["drain_timeout"].default
    assert all(_seconds(service["stop_grace_period"]) > drain for service in _compose_services().values())


def test_kubernetes_waits_for_the_drain() -> None:
    pod = _pod()
    environment = {entry["name"]: entry["value"] for entry in pod["containers"][0]["env"]}
    drain = float(environment["COLOCALIZE_DRAIN_DELAY"]) + Settings.model_fields["drain_timeout"].default
    assert pod["terminationGracePeriodSeconds"] > drain


def test_kubernetes_hardens_the_container() -> None:
    pod = _pod()
    context = pod["containers"][0]["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert context["readOnlyRootFilesystem"] is True
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}


def test_objects_lie_where_the_image_has_a_folder_of_its_user() -> None:
    uid = _pod()["securityContext"]["runAsUser"]
    made = re.findall(rf"^RUN install --directory --owner={uid} --group={uid} (\S+)$", DOCKERFILE, re.MULTILINE)
    assert made == ["/var/lib/colocalize"] * 2
    for service in _compose_services().values():
        assert service["environment"]["COLOCALIZE_OBJECTS_DIR"] == made[0]
        assert service["volumes"] == [f"objects:{made[0]}"]
    component = yaml.safe_load((KUBERNETES / "objects/kustomization.yaml").read_text())
    pod = yaml.safe_load(component["patches"][0]["patch"])["spec"]["template"]["spec"]
    assert pod["securityContext"]["fsGroup"] == uid
    (container,), (volume,) = pod["containers"], pod["volumes"]
    assert container["volumeMounts"] == [{"name": volume["name"], "mountPath": made[0]}]
    assert {entry["name"]: entry["value"] for entry in container["env"]} == {"COLOCALIZE_OBJECTS_DIR": made[0]}
    claim = yaml.safe_load((KUBERNETES / "objects/persistent-volume-claim.yaml").read_text())
    assert claim["metadata"]["name"] == volume["persistentVolumeClaim"]["claimName"]


def test_kubernetes_keeps_its_own_variables_out() -> None:
    # A Service called colocalize makes COLOCALIZE_PORT=tcp://10.0.0.1:80 of itself, over the setting of that name.
    assert f"{Settings.model_config['env_prefix']}PORT" == "COLOCALIZE_PORT"
    assert _pod()["enableServiceLinks"] is False


def test_every_setting_named_in_deploy_exists() -> None:
    texts = [path.read_text() for path in (ROOT / "deploy").rglob("*.yaml")]
    names = {name for text in texts for name in re.findall(r"\bCOLOCALIZE_[A-Z_]+\b", text)}
    assert "COLOCALIZE_DRAIN_DELAY" in names
    assert Settings.unknown_variables(dict.fromkeys(names, "")) == []


@pytest.mark.parametrize("folder", ["cpu", "gpu"])
def test_kustomizations_name_files_that_exist(folder: str) -> None:
    kustomization = yaml.safe_load((KUBERNETES / folder / "kustomization.yaml").read_text())
    assert all((KUBERNETES / folder / resource).exists() for resource in kustomization["resources"])


def test_kserve_probes_the_protocol_and_runs_the_image_as_kubernetes_does() -> None:
    service = yaml.safe_load((ROOT / "deploy/kserve/inference-service.yaml").read_text())
    predictor = service["spec"]["predictor"]
    (container,) = predictor["containers"]
    assert container["readinessProbe"]["httpGet"] == {"path": V2_READY, "port": 8000}
    assert container["livenessProbe"]["httpGet"] == {"path": V2_LIVE, "port": 8000}
    assert predictor["timeout"] > Settings.model_fields["request_timeout"].default
    environment = {entry["name"]: entry["value"] for entry in container["env"]}
    drain = float(environment["COLOCALIZE_DRAIN_DELAY"]) + Settings.model_fields["drain_timeout"].default
    assert predictor["terminationGracePeriodSeconds"] > drain
    assert predictor["enableServiceLinks"] is False
    assert predictor["securityContext"] == _pod()["securityContext"]
    assert container["securityContext"] == _pod()["containers"][0]["securityContext"]


NEIGHBOURS = {name: service for name, service in _all_services().items() if "build" not in service}


def test_neighbours_are_off_by_themselves_bounded_and_on_this_machine_alone() -> None:
    assert set(NEIGHBOURS) == {"label-studio", "prometheus", "grafana"}
    for service in NEIGHBOURS.values():
        assert service["profiles"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        assert {"cpus", "memory", "pids"} <= service["deploy"]["resources"]["limits"].keys()
        assert ":" in service["image"]  # of a version


def test_files_and_volumes_of_compose_exist() -> None:
    compose = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
    sources = {volume.split(":")[0] for service in _all_services().values() for volume in service.get("volumes", [])}
    files = {source for source in sources if source.startswith(".")}
    assert len(files) == 5
    assert all((ROOT / "deploy" / file).exists() for file in files)
    assert sources - files == set(compose["volumes"])


def test_prometheus_and_grafana_find_what_they_watch() -> None:
    scraped = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"][0]
    host, port = scraped["static_configs"][0]["targets"][0].split(":")
    assert host in _compose_services()["cpu"]["networks"]["default"]["aliases"]
    assert _compose_services()["cpu"]["ports"] == [f"127.0.0.1:8000:{port}"]
    (source,) = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load((ROOT / "deploy/grafana/provisioning/dashboards.yml").read_text())["providers"]
    mounted = {volume.split(":")[1] for volume in NEIGHBOURS["grafana"]["volumes"]}
    assert provider["options"]["path"] in mounted


def test_label_studio_is_where_the_service_looks_for_it() -> None:
    (url,) = {service["environment"]["COLOCALIZE_LABEL_STUDIO_URL"] for service in _compose_services().values()}
    assert url == "${LABEL_STUDIO_TOKEN:+http://label-studio:8080}"
    assert NEIGHBOURS["label-studio"]["ports"] == ["127.0.0.1:8080:8080"]


@pytest.mark.skipif(version("jsonschema").startswith("3."), reason="kubernetes-validate needs jsonschema 4")
@pytest.mark.parametrize("kubernetes", ["1.29", "1.35"])
@pytest.mark.parametrize(
    "path",
    [path for path in sorted(KUBERNETES.rglob("*.yaml")) if path.name != "kustomization.yaml"],
    ids=lambda path: path.stem,
)
def test_manifests_are_of_kubernetes_own_form(path: Path, kubernetes: str) -> None:
    import kubernetes_validate

    for manifest in yaml.safe_load_all(path.read_text()):
        kubernetes_validate.validate(manifest, kubernetes, strict=True)
    broken = {**manifest, "spec": {**manifest["spec"], "sepc": 1}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, kubernetes, strict=True)
