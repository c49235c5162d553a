"""Charts rendered by real Helm 3 and 4, and applied to a real API server by the role charts."""

# ruff: noqa: D103

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import ManifestError, Ref
from ansible_collections.groundwork.kubernetes.plugins.modules import helm_template
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster import charts
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.chart_objects import unserved
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.helm import Helm, HelmError, Target
from api_server import KUBERNETES, ApiServer
from chart_files import BUDGET, HOOKED, LOOKUP, RANDOM, checksum, pack
from helm_programs import PACKAGES, helm
from real_play import Played, run_play

ROOT = Path(__file__).resolve().parents[4]
SECRET = "a-secret-of-the-values"  # noqa: S105  it is for these tests
sys.path.insert(0, str(ROOT / "tests"))

from lab.settings import Settings  # noqa: E402

Play = Callable[..., "Applied"]


class Applied(Played):
    """What came of a run of the role."""

    @property
    def steps(self) -> list[tuple[str, list[str]]]:
        """Each step that was applied, with what was done with each object."""
        return [
            (step["_ansible_item_label"], [f"{one['kind']} {one['action']}" for one in step["objects"]])
            for _name, result in self.tasks
            for step in result.get("results") or []
            if "objects" in step
        ]

    @property
    def changed(self) -> bool:
        """Whether a task has changed something."""
        return any(result.get("changed") for _name, result in self.tasks)


@pytest.fixture(scope="session", params=list(PACKAGES))
def program(request: pytest.FixtureRequest) -> Path:
    """Helm of each version."""
    return helm(request.param, Settings().cache)


@pytest.fixture(scope="session")
def newest() -> Path:
    """One Helm, for what does not depend on it."""
    return helm("4.2.3", Settings().cache)


@pytest.fixture
def play(server: ApiServer, tmp_path: Path) -> Play:
    """play(helm, release, ..., check=False, extra={}): the role on this machine."""

    def run(program: Path, *releases: dict[str, Any], check: bool = False, **extra: Any) -> Applied:
        variables = {
            "charts_releases": list(releases),
            "charts_helm": str(program),
            "charts_kubeconfig": str(server.kubeconfig),
            "charts_timeout": 60,
            "kubernetes_version": "1.20.2",
            **extra,
        }
        roles = [{"role": "groundwork.kubernetes.charts"}]
        play = {"hosts": "localhost", "gather_facts": False, "roles": roles}
        done = run_play(server, tmp_path, play, variables, "--diff", "-vvv", *["--check"] * check)
        assert SECRET not in done.stdout + done.stderr
        return Applied(done)

    return run


@pytest.fixture
def jobs(server: ApiServer) -> Iterator[list[str]]:
    """What stands for the controller of Jobs: all that appear are complete, and are named in this list in order."""
    seen: list[str] = []
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            for job in server.get("jobs", "--all-namespaces")["items"]:
                metadata = job["metadata"]
                if not (job.get("status") or {}).get("conditions"):
                    path = f"/apis/batch/v1/namespaces/{metadata['namespace']}/jobs/{metadata['name']}"
                    server.set_status(path, {"conditions": [{"type": "Complete", "status": "True"}]})
                    seen.append(metadata["name"])
            time.sleep(0.3)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield seen
    stop.set()
    thread.join(timeout=30)


def release(path: Path, name: str, **options: Any) -> dict[str, Any]:
    return {"name": name, "namespace": name, "chart": str(path), "checksum": checksum(path), **options}


def rendered(program: Path, path: Path, **options: Any) -> Any:
    """A chart and what it renders for Kubernetes 1.20.2."""
    target = Target("shop", "front", "1.20.2", options.pop("api_versions", ["apps/v1/Deployment"]), options)
    return charts.render(lambda: Helm(str(program)), charts.Source(path.name, path.read_bytes()), target)


def test_both_versions_render_the_same(tmp_path: Path) -> None:
    path = pack(tmp_path, **HOOKED)
    both = [
        rendered(helm(version, Settings().cache), path, replicas=2, note={"a": None, "c": [1, "x"]})[1]
        for version in PACKAGES
    ]
    assert both[0].digest == both[1].digest
    assert [str(Ref.of(item)) for item in both[0].everything] == [str(Ref.of(item)) for item in both[1].everything]
    assert [hook.item["metadata"]["name"] for hook in both[0].hooks] == ["shop-first", "shop-after", "shop-before"]
    facts = next(item for item in both[0].objects if item["metadata"]["name"] == "shop-facts")
    assert facts["data"] == {
        "kubernetes": "v1.20.2", "apps": "true", "monitoring": "false", "upgrade": "false",
        "note": '{"b":2,"c":[1,"x"]}',
    }  # fmt: skip


@pytest.mark.parametrize(
    ("files", "values", "expected"),
    [
        (
            {},
            {"replicas": "many"},
            "values don't meet the specifications of the schema(s) in the following chart(s): shop",
        ),
        ({}, {"password": SECRET + "!"}, "oes not match pattern"),
        (
            {"Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\nkubeVersion: '>=1.30'\n"},
            {},
            "requires kubeVersion",
        ),
        ({"templates/fail.yaml": "{{ fail .Values.password }}"}, {"password": SECRET}, "(hidden)"),
        ({"templates/random.yaml": RANDOM}, {}, "shop-1.0.0 renders Secret shop-tls differently each time"),
    ],
)
def test_what_is_refused(
    program: Path, tmp_path: Path, files: dict[str, str], values: dict[str, Any], expected: str
) -> None:
    with pytest.raises((HelmError, ManifestError)) as caught:
        rendered(program, pack(tmp_path, **files), **values)
    assert expected in str(caught.value)
    assert SECRET not in str(caught.value)


def test_lookup_finds_nothing_and_is_known(program: Path, tmp_path: Path) -> None:
    chart, rendering = rendered(program, pack(tmp_path, **{"templates/looked.yaml": LOOKUP}))
    assert chart.lookups == ("shop/templates/looked.yaml",)
    assert next(item for item in rendering.objects if item["metadata"]["name"] == "shop-looked")["data"] == {
        "found": "false"
    }


def test_an_api_that_the_cluster_does_not_serve(
    server: ApiServer,
    run: Callable[..., dict[str, Any]],
    program: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Helm takes policy/v1 for served, which 1.20 does not have."""
    monkeypatch.setenv("PATH", f"{KUBERNETES}:{os.environ['PATH']}")
    name = f"budget{program.parent.name[5]}"
    secret = {"name": f"sh.helm.release.v1.{name}.v1", "labels": {"owner": "helm", "name": name}}
    server.create({"apiVersion": "v1", "kind": "Secret", "metadata": secret})
    found = run(helm_template, name=name, kubeconfig=str(server.kubeconfig))["cluster"]
    assert (found["helm"], found["record"]) == ([f"Secret {secret['name']}"], None)
    served = found["served"]
    assert served["version"] == "v1.20.2"
    assert served["kinds"]["policy/v1beta1/PodDisruptionBudget"] is True
    assert served["kinds"]["v1/Node"] is False
    path = pack(tmp_path, **{"templates/budget.yaml": BUDGET, "templates/all.yaml": "", "crds/orders.yaml": ""})
    _chart, rendering = rendered(program, path, api_versions=sorted([*served["api_versions"], *served["kinds"]]))
    assert unserved(rendering, served["kinds"], []) == ["PodDisruptionBudget shop (policy/v1)"]


def test_a_release_from_its_installation_to_its_removal(
    server: ApiServer, play: Play, newest: Path, jobs: list[str], tmp_path: Path
) -> None:
    program, name = newest, "life"
    first = release(pack(tmp_path, **HOOKED), name, values={"password": SECRET, "note": {"a": None}})
    foreseen = play(program, first, check=True)
    assert foreseen.rc == 0, foreseen.output
    assert foreseen.changed
    assert not server.exists("namespace", name)

    done = play(program, first)
    assert done.rc == 0, done.output
    assert jobs == [f"{name}-first", f"{name}-before"]
    assert [step for step, _actions in done.steps] == [
        f"{name}/{name}: make the namespace",
        f"{name}/{name}: definitions of resources, and the record",
        f"{name}/{name}: before: Job {name}/{name}-first",
        f"{name}/{name}: remove Job {name}/{name}-first",
        f"{name}/{name}: before: Job {name}/{name}-before",
        f"{name}/{name}: apply shop-1.0.0",
        f"{name}/{name}: the record",
    ]
    facts = server.get("configmap", f"{name}-facts", f"--namespace={name}")
    assert facts["data"] == {
        "kubernetes": "v1.20.2", "apps": "true", "monitoring": "false", "upgrade": "false", "note": '{"b":2}',
    }  # fmt: skip
    assert facts["metadata"]["annotations"] == {"groundwork.kubernetes/owner": f"{name}/{name}"}
    assert server.get("orders", "first", f"--namespace={name}")["spec"] == {"size": 1}
    assert server.exists("clusterrole", f"{name}-reader")

    for check in (False, True):
        again = play(program, first, check=check)
        assert (again.rc, again.changed) == (0, False), again.output
        assert len(again.steps) == 1
    assert len(jobs) == 2

    second = release(
        pack(tmp_path, "2.0.0", **HOOKED), name, values={"password": SECRET, "replicas": 3, "extra": False}
    )
    done = play(program, second)
    assert done.rc == 0, done.output
    assert jobs[2:] == [f"{name}-before", f"{name}-after"]
    assert server.get("orders", "first", f"--namespace={name}")["spec"] == {"size": 3}
    assert not server.exists("configmap", f"{name}-extra", f"--namespace={name}")
    assert server.exists("configmap", f"{name}-kept", f"--namespace={name}")
    assert not play(program, second).changed

    away = {"name": name, "namespace": name, "state": "absent"}
    foreseen = play(program, away, check=True)
    assert foreseen.changed
    done = play(program, away)
    assert done.rc == 0, done.output
    assert f"what stays: CustomResourceDefinition orders.shop.example.org, Namespace {name}" in done.output
    for kind in ("service", "job", "order"):
        assert server.get(kind, f"--namespace={name}")["items"] == []
    assert not server.exists("clusterrole", f"{name}-reader")
    assert not server.exists("secret", f"groundwork-chart-{name}", f"--namespace={name}")
    assert server.exists("crd", "orders.shop.example.org")
    assert not play(program, away).changed
