"""Every resource is one that Kubernetes knows, of the oldest version that is supported to the newest.

Kubernetes' own schemas are those of the package kubernetes-validate, in which a field that is not known is a fault.
KServe's definitions are not ours to copy: what is held here is the part that the rendering uses, written down from the
definitions of v0.20, with which the whole rendering was validated when it was made.
"""

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mesh.kubernetes.rendered import Resource, changed, example, rendered, rendering, resources
from referencing import Registry
from referencing.jsonschema import DRAFT202012
from support.needs import missing

OLDEST, NEWEST = "1.30", "1.37"
"""The oldest with the hook `sleep`; the newest of the package."""

KSERVE_POD_FIELDS = {
    "automountServiceAccountToken": {"const": False},
    "enableServiceLinks": {"const": False},
    "terminationGracePeriodSeconds": {"type": "integer", "minimum": 1},
    "securityContext": {"type": "object"},
    "topologySpreadConstraints": {"type": "array", "items": {"type": "object"}},
    "nodeSelector": {"type": "object", "additionalProperties": {"type": "string"}},
    "tolerations": {"type": "array", "items": {"type": "object"}},
}


def table(properties: dict[str, Any], *optional: str) -> dict[str, Any]:
    """Give the schema of an object with these fields and no others."""
    required = sorted(set(properties) - set(optional))
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


TEXT = {"type": "string", "minLength": 1}
KSERVE = {
    "ServingRuntime": table(
        {
            "apiVersion": {"const": "serving.kserve.io/v1alpha1"},
            "kind": TEXT,
            "metadata": {"type": "object"},
            "spec": table(
                {
                    "supportedModelFormats": {
                        "type": "array",
                        "items": table({"name": TEXT, "version": TEXT, "autoSelect": {"type": "boolean"}}),
                    },
                    "protocolVersions": {"const": ["v2"]},
                    "labels": {"type": "object", "additionalProperties": TEXT},
                    "containers": {"type": "array", "minItems": 1, "maxItems": 1},
                    "volumes": {"type": "array"},
                }
            ),
        }
    ),
    "InferenceService": table(
        {
            "apiVersion": {"const": "serving.kserve.io/v1beta1"},
            "kind": TEXT,
            "metadata": {"type": "object"},
            "spec": table(
                {
                    "predictor": table(
                        {
                            **KSERVE_POD_FIELDS,
                            "minReplicas": {"type": "integer", "minimum": 1},
                            "maxReplicas": {"type": "integer", "minimum": 1},
                            "scaleMetric": {"enum": ["cpu", "memory", "concurrency", "rps"]},
                            "scaleTarget": {"type": "integer"},
                            "model": table(
                                {
                                    "modelFormat": table({"name": TEXT, "version": TEXT}),
                                    "protocolVersion": {"const": "v2"},
                                    "runtime": TEXT,
                                    "storageUri": TEXT,
                                    "resources": {"type": "object"},
                                }
                            ),
                        },
                        "nodeSelector",
                        "tolerations",
                    )
                }
            ),
        }
    ),
}


@cache
def _schema(version: str, name: str) -> Any:  # noqa: ANN401 - a schema is any JSON
    package = find_spec("kubernetes_validate")
    if package is None or package.origin is None:
        missing("no schemas of Kubernetes. Mend: make install, which has the package kubernetes-validate")
    # Its files are all that is wanted: the package itself need not be loaded.
    folder = Path(package.origin).parent / "kubernetes-json-schema" / f"v{version}.0-local-strict"
    return json.loads((folder / f"{name}.json").read_text())


@cache
def _validator(version: str, api: str, kind: str) -> Draft202012Validator:
    group, _, of_group = api.rpartition("/")
    words = [kind.lower(), *([group.partition(".")[0]] if group else []), of_group]
    schema = DRAFT202012.create_resource(_schema(version, "-".join(words)))
    definitions = DRAFT202012.create_resource(_schema(version, "_definitions"))
    registry: Registry[Any] = Registry().with_resources([("", schema), ("_definitions.json", definitions)])
    return Draft202012Validator(schema.contents, registry=registry)


def faults(version: str, resource: Resource) -> list[str]:
    """Give what Kubernetes of that version, or KServe, would not take."""
    kind = resource["kind"]
    if kind in KSERVE:
        validator = Draft202012Validator(KSERVE[kind])
    else:
        validator = _validator(version, resource["apiVersion"], kind)
    return [f"{fault.json_path}: {fault.message}" for fault in validator.iter_errors(resource)]


@pytest.mark.slow
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_knows_every_resource(version: str) -> None:
    found = {name: faults(version, resource) for name, resource in resources(rendering()).items()}
    assert len(found) > 50
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.slow
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_knows_the_containers_that_kserve_starts(version: str) -> None:
    """KServe takes a pod's containers as they are: as a pod of Kubernetes they must be right."""
    runtime = resources(rendering())["cells/eu-ams/kserve/serving-runtime.yaml"]["spec"]
    predictor = resources(rendering())["cells/eu-ams/kserve/inference-service.yaml"]["spec"]["predictor"]
    spec = {name: value for name, value in predictor.items() if name in KSERVE_POD_FIELDS}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "cell", "labels": runtime["labels"]},
        "spec": {**spec, "containers": runtime["containers"], "volumes": runtime["volumes"]},
    }
    assert faults(version, pod) == []


@pytest.mark.slow
def test_what_kubernetes_does_not_know_is_found() -> None:
    statefulset = resources(rendering())["gateway/statefulset.yaml"]
    assert faults(NEWEST, {**statefulset, "spec": {**statefulset["spec"], "replica": 1}}) != []
    service = resources(rendering())["gateway/service.yaml"]
    assert faults(OLDEST, {**service, "spec": {**service["spec"], "ports": "80"}}) != []
    served = resources(rendering())["cells/eu-fra/kserve/inference-service.yaml"]
    assert faults(OLDEST, {**served, "spec": {**served["spec"], "storageUrl": "s3://b"}}) != []


@pytest.mark.slow
def test_kubernetes_knows_what_gpus_and_fixed_numbers_give() -> None:
    _, _, settings = example()
    assert settings.cells is not None
    cells = {**{name: getattr(settings.cells, name) for name in settings.cells.__slots__}, "gpus": 1}
    found = resources(
        rendered(changed(autoscaling=None, clients=("192.0.2.0/24",), cells=type(settings.cells)(**cells)))
    )
    assert {name: what for name, resource in found.items() if (what := faults(NEWEST, resource))} == {}
