"""What README.md, docs/ and the example inventories say is true of the code: names, links, commands, messages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.vars.manager import VariableManager
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.hardening_items import ITEMS
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host import faults
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import argument_specs, inputs, kubespray
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    CONTROL_PLANE,
    WORKER,
    HostInput,
    Inputs,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import minors as known_minors
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import release

ROOT = Path(__file__).resolve().parents[2]
README, MODULE_PAGE = ROOT / "README.md", ROOT / "docs" / "modules.md"
PAGES = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = ["single", "ha", "external_etcd"]
MAKEFILE = (ROOT / "Makefile").read_text()
SPECS = argument_specs.load_specs(ROOT / "roles")
VARIABLES = {variable for options in SPECS.values() for variable in options}
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def stems(folder: str, suffix: str = ".py") -> set[str]:
    return {path.stem for path in (ROOT / folder).glob(f"*{suffix}")}


MODULES, PLAYBOOKS = stems("plugins/modules"), stems("playbooks", ".yml")
FILTERS = stems("plugins/filter") | stems("plugins/filter", ".yml")
CALLBACKS = stems("plugins/callback")
ROLES = {path.name for path in (ROOT / "roles").iterdir() if (path / "tasks").is_dir()}
TARGETS = set(re.findall(r"^([a-z][a-z-]*):.*?## ", MAKEFILE, re.MULTILINE))


def page(path: Path) -> Any:
    return pytest.param(path, id=str(path.relative_to(ROOT)))


def blocks(path: Path, *languages: str) -> list[str]:
    """The code blocks of a page in one of the languages."""
    return [code for _indent, language, code in FENCE.findall(path.read_text()) if language in languages]


def spans(path: Path) -> list[str]:
    """The code spans of a page, without code blocks."""
    return re.findall(r"`([^`\n]+)`", FENCE.sub("", path.read_text()))


def code(path: Path) -> str:
    """All code of a page: spans and blocks."""
    return "\n".join([*spans(path), *(text for _indent, _language, text in FENCE.findall(path.read_text()))])


def section(path: Path, heading: str) -> str:
    """What stands below a heading, up to the next one of any level."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", path.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"{path.name} has no heading {heading!r}"
    return found[1]


def rows(text: str) -> list[list[str]]:
    """The cells of a table's rows, without its head."""
    lines = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line[:1] == "|"]
    return [cells for cells in lines[2:] if not set(cells[0]) <= set("-|")]


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub makes of headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", [page(path) for path in [*PAGES, *sorted(ROOT.glob("roles/*/README.md"))]])
def test_links_lead_somewhere(path: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", path.read_text())):
        if link.startswith(("https://", "http://")):
            continue
        name, _hash, anchor = link.partition("#")
        target = (path.parent / name) if name else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("path", [page(path) for path in PAGES])
def test_files_that_are_named_exist(path: Path) -> None:
    folders = "changelogs|docs|inventories|meta|molecule|playbooks|plugins|roles|tests"
    named = re.findall(rf"(?<![\w./<-])(?:{folders})/[\w./<>-]*", code(path))
    assert [name for name in named if "<" not in name and not (ROOT / name.rstrip(".")).exists()] == []


@pytest.mark.parametrize("path", [page(path) for path in PAGES])
def test_make_targets_exist(path: Path) -> None:
    commands = re.findall(r"\bmake(?: +([a-z][a-z-]*))((?: +[A-Z_]+=\S+)*)", code(path))
    assert {target for target, _variables in commands} - TARGETS == set()
    assigned = {name for _target, given in commands for name in re.findall(r"([A-Z_]+)=", given)}
    assert {name for name in assigned if not re.search(rf"\b{name}\b", MAKEFILE)} == set()


def test_readme_names_every_make_target() -> None:
    assert sorted(TARGETS - set(re.findall(r"`make ([a-z-]+)", README.read_text())) - {"help"}) == []


@pytest.mark.parametrize("path", [page(path) for path in PAGES])
def test_environment_variables_are_read_somewhere(path: Path) -> None:
    places = [ROOT / "Makefile", *(ROOT / "tests").rglob("*.py")]
    readers = "\n".join(file.read_text() for file in places if file != Path(__file__))
    named = set(re.findall(r"(?<![\w$\"])[A-Z]+(?:_[A-Z]+)+\b", "\n".join(spans(path))))
    of_others = {"XDG_CACHE_HOME", "CAP_SYS_RESOURCE", "NO_PROXY", "HTTPS_PROXY"}
    assert sorted(name for name in named - of_others if name not in readers) == []


@pytest.mark.parametrize(
    ("path", "heading", "names"),
    [(README, "Playbooks", PLAYBOOKS), (README, "Roles", ROLES), (MODULE_PAGE, "Modules", MODULES)],
    ids=["playbooks", "roles", "modules"],
)
def test_there_is_one_row_for_each(path: Path, heading: str, names: set[str]) -> None:
    cells = [row[0] for row in rows(section(path, heading))]
    listed = [re.sub(r"^\[(\w+)\]\(.*\)$|^`(\w+)`$", r"\1\2", cell) for cell in cells]
    assert listed == sorted(set(listed), key=listed.index)
    assert set(listed) == names


def test_the_filters_are_listed() -> None:
    line = next(line for line in MODULE_PAGE.read_text().splitlines() if line.startswith("Filters:"))
    assert set(re.findall(r"`(\w+)`", line)) == FILTERS


def test_the_callbacks_are_named() -> None:
    assert set(re.findall(r"[Cc]allback `(\w+)`", MODULE_PAGE.read_text())) == CALLBACKS


@pytest.mark.parametrize("path", [page(path) for path in PAGES])
def test_variables_exist(path: Path) -> None:
    prefixes = "|".join(sorted(ROLES))
    named = set(re.findall(rf"(?<![\w/.-])(?:{prefixes})_[a-z][a-z0-9_]*\b", code(path)))
    assert sorted(named - VARIABLES - MODULES - FILTERS - ROLES - kubespray.load().lost.keys()) == []


@pytest.mark.parametrize("path", [page(path) for path in PAGES])
def test_names_of_the_collection_exist(path: Path) -> None:
    named = re.findall(r"groundwork\.kubernetes\.(\w+)", code(path))
    assert sorted(set(named) - MODULES - ROLES - PLAYBOOKS - FILTERS - CALLBACKS) == []


def tasks(document: Any) -> Iterator[dict[str, Any]]:
    for play in document if isinstance(document, list) else []:
        for name in ("pre_tasks", "tasks", "post_tasks"):
            yield from play.get(name) or []


@pytest.mark.parametrize("path", [page(path) for path in PAGES])
def test_yaml_can_be_read_and_modules_have_the_options(path: Path) -> None:
    for text in blocks(path, "yaml"):
        for task in tasks(yaml.safe_load(text)):
            module = next((key for key in task if key.startswith("groundwork.kubernetes.")), None)
            if module is None:
                continue
            source = (ROOT / "plugins" / "modules" / f"{module.rsplit('.', 1)[1]}.py").read_text()
            options = re.search(r'^DOCUMENTATION = r?"""(.*?)"""', source, re.MULTILINE | re.DOTALL)
            assert options
            known = yaml.safe_load(options[1])["options"]
            # Options of fragments are not looked at.
            assert set(task[module] or {}) - set(known) == set(), module


def test_troubleshooting_has_one_row_for_each_fault() -> None:
    text = section(ROOT / "docs" / "troubleshooting.md", "Preflight's faults")
    listed = re.findall(r"^\| `([a-z0-9-]+)` \|", text, re.MULTILINE)
    of_hosts = re.findall(r"^## `([a-z0-9-]+)`$", (ROOT / "docs" / "preflight.md").read_text(), re.MULTILINE)
    assert sorted(listed + of_hosts) == sorted(faults.FAULTS)


def source_text() -> str:
    """The project's messages: string literals that go on in the next line are joined, white space is one space."""
    files = [
        path for folder in ("plugins", "roles", "tests/lab") for path in (ROOT / folder).rglob("*") if path.is_file()
    ]
    text = "\n".join(path.read_text() for path in files if path.suffix in (".py", ".yml", ".j2"))
    return re.sub(r"\s+", " ", re.sub(r'"\s*\n\s*f?"', "", text))


def test_messages_in_troubleshooting_are_in_the_code() -> None:
    source, missing = source_text(), []
    path = ROOT / "docs" / "troubleshooting.md"
    for heading in ("While it runs", "In the lab"):
        for seen, *_rest in rows(section(path, heading)):
            for message in re.findall(r"`([^`]+)`", seen):
                missing += [part for part in message.split("...") if part.strip() and part.strip() not in source]
    assert missing == []


@pytest.mark.parametrize("command", sorted(set(re.findall(r"-m lab (\w+)", "\n".join(map(code, PAGES))))))
def test_commands_of_the_lab_exist(command: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "lab", command, "--help"], env=environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


SETTINGS = {
    "KUBERNETES_VERSION": "kubernetes",
    "CONTAINERD_VERSION": "containerd",
    "ETCD_VERSION": "etcd",
    "RUNC_VERSION": "runc",
    "CNI_PLUGINS_VERSION": "cni_plugins",
    "CRICTL_VERSION": "crictl",
}


@pytest.mark.parametrize(
    ("path", "heading"), [(ROOT / "docs" / "lab.md", "Other versions"), (README, "The lab")], ids=["lab", "README"]
)
def test_the_lab_has_the_defaults_that_are_named(monkeypatch: pytest.MonkeyPatch, path: Path, heading: str) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tests"))
    from lab.choice import DEBIAN, DEBIAN_SINCE_1_26, defaults  # noqa: PLC0415  it is no part of the collection
    from lab.kubernetes import SOURCE_VERSION  # noqa: PLC0415

    ways = [defaults(), {**DEBIAN, "kubernetes": SOURCE_VERSION}, DEBIAN_SINCE_1_26]
    table = [row for row in rows(section(path, heading)) if row[0].strip("`") in SETTINGS]
    assert table
    for name, default, *_rest in table:
        part = SETTINGS[name.strip("`")]
        assert set(re.findall(r"`([\d.]+)`", default)) == {way[part] for way in ways if part in way}, name


def test_versions_are_those_of_the_code() -> None:
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text())
    for path in (README, ROOT / "docs" / "install.md"):
        assert set(re.findall(r"groundwork-kubernetes-([\d.]+)\.tar", path.read_text())) == {galaxy["version"]}
    releases = yaml.safe_load((ROOT / "plugins/plugin_utils/_kubeadm/releases.yml").read_text())
    default = SPECS["kubernetes"]["kubernetes_version"]["default"]
    support = {row[0]: row for row in rows(section(README, "What is supported"))}
    assert f"to {releases['newest']}; default {default}" in support["Kubernetes"][3]
    troubleshooting = (ROOT / "docs" / "troubleshooting.md").read_text()
    assert f"from {releases['oldest']} to {releases['newest']}." in troubleshooting
    requires = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["requires_ansible"]
    assert f"ansible-core>={requires.removeprefix('>=').removesuffix('.0')}" in README.read_text()


def test_the_versions_that_belong_together_are_those_of_the_data() -> None:
    found = {}
    for minors, *versions in rows(section(ROOT / "docs" / "configuration.md", "Versions that belong together")):
        if match := re.fullmatch(r"1\.(\d+)(?: to 1\.(\d+))?", minors):
            last = int(match[2] or match[1])
            found.update({f"1.{minor}": versions for minor in range(int(match[1]), last + 1)})
    named = ("etcd_version", "containerd_version", "runc_version")
    assert found == {minor: [release(minor)[name] for name in named] for minor in known_minors()}
    assert {release(minor)["cni_plugins_version"] for minor in known_minors()} == {"1.9.1"}


FACTS = {"default_ipv4": {}, "architecture": "x86_64", "os_family": "Debian", "pkg_mgr": "apt"}


def judged(name: str) -> Inputs:
    """An example inventory as preflight gets it."""
    loader = DataLoader()
    inventory = InventoryManager(loader=loader, sources=[str(ROOT / "inventories" / name)])
    manager = VariableManager(loader=loader, inventory=inventory)
    hosts = []
    for host in inventory.get_hosts():
        raw = manager.get_vars(host=host)
        facts = {"ansible_facts": {**FACTS, "default_ipv4": {"address": host.vars["ansible_host"]}}}
        own = {key: value for key, value in raw.items() if key in VARIABLES}
        defaults = argument_specs.defaults(SPECS)
        templar = Templar(loader=loader, variables={**defaults, **raw, **facts})
        values = {key: templar.template(value) for key, value in {**defaults, **own}.items() if value is not None}
        values.setdefault("kubernetes_node_name", host.name)
        values.setdefault("kubernetes_node_ip", host.vars["ansible_host"])
        hosts.append(HostInput(host.name, values, names=frozenset(raw)))
    return Inputs(hosts, manager.get_vars()["groups"], SPECS)


# What examples are told of: two control planes' etcd, and releases of which the collection has no digest.
TOLD = ("members-even", "digest-missing")


@pytest.mark.parametrize("name", EXAMPLES)
def test_preflight_finds_nothing_in_the_example_inventories(name: str) -> None:
    given = judged(name)
    assert [fault for fault in inputs.find_faults(given) if fault.id not in TOLD] == []
    assert len(given.members(CONTROL_PLANE)) == (3 if name == "ha" else 1)
    assert len(given.members(WORKER)) > 1


def test_preflight_would_find_a_wrong_name_in_an_inventory() -> None:
    """The test above can fail."""
    given = judged("single")
    host = given.hosts[0]
    wrong = HostInput(host.name, host.values, names=host.names | {"kubernetes_pod_cdir"})
    found = inputs.find_faults(Inputs([wrong], given.groups, SPECS))
    assert [fault.id for fault in found if fault.id not in TOLD] == ["unknown-variable"]


def test_all_example_inventories_are_in_the_readme() -> None:
    folders = {path.name for path in (ROOT / "inventories").iterdir() if path.is_dir()}
    assert folders == {*EXAMPLES, "lab"}
    assert {name for name in folders if f"inventories/{name}" not in README.read_text()} == set()


# How many items each part of the CIS Kubernetes Benchmark 1.11 has.
BENCHMARK = {
    **{"1.1": 21, "1.2": 30, "1.3": 7, "1.4": 2, "2": 7, "3.1": 3, "3.2": 2, "4.1": 10, "4.2": 15, "4.3": 1},
    **{"5.1": 13, "5.2": 13, "5.3": 2, "5.4": 2, "5.5": 1, "5.6": 4},
}


def test_hardening_lists_every_item_of_the_benchmark_as_verify_judges_it() -> None:
    listed = {row[0]: row[1:] for row in rows(section(ROOT / "docs" / "hardening.md", "The CIS benchmark"))}
    expected = [f"{part}.{at}" for part, count in BENCHMARK.items() for at in range(1, count + 1)]
    assert [number for number in listed if number[0].isdigit()] == expected
    judged = {item.number: [item.title, item.by] for item in ITEMS}
    assert {number: listed[number][:2] for number in judged} == judged
    for number in expected:
        what, here, how = (*listed[number], "")[:3]
        assert what
        assert here in ("default", "profile", "choice", "no", "yours")
        assert how or here in ("default", "yours"), number
