"""What holds a secret is kept out of outputs and logs: options of modules, and tasks that a secret reaches."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.basic import AnsibleModule

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = "groundwork.kubernetes"
# Others are documentation of an action plugin, whose options never leave the controller.
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py") if "def main" in path.read_text())
TASKS = [*sorted(ROOT.glob("roles/*/tasks/*.yml")), *sorted(ROOT.glob("playbooks/*.yml"))]
# Names that sound as if the option were a secret: it says itself whether it is.
SUSPICIOUS = re.compile(r"(?<![a-z])(keys?|tokens?|pass\w*|secrets?|credentials?|private\w*)(?![a-z])")
HIDDEN = {
    ("backup", "extra_files"),
    ("files", "secrets"),
    ("helm_template", "values"),
    ("host_facts", "registries.servers.client_key"),
    ("host_facts", "registries.servers.password"),
    ("host_facts", "registry_proxies"),
    ("kubeadm_join", "config"),
    ("kubeadm_join", "discovery_kubeconfig"),
    ("kubeadm_join", "login_token"),
    ("kubeadm_init", "login_token"),
    ("kubeadm_token", "token"),
    ("kubeconfig_copy", "content"),
    ("kubelet_renewal", "kubeconfig"),
    ("schedule", "parameters"),
    ("schedule", "program"),
    ("schedule", "settings"),
}
# Of other collections; files, which hides the text of files that not everyone may read; and manifest, whose action only
# tells how many objects it was given.
HIDDEN_ELSEWHERE = {
    (f"{COLLECTION}.files", "files"),
    (f"{COLLECTION}.manifest", "objects"),
    ("community.crypto.openssl_csr_pipe", "privatekey_content"),
    ("community.crypto.x509_certificate_pipe", "ownca_privatekey_content"),
    ("community.crypto.x509_certificate_pipe", "privatekey_content"),
}
# Modules whose result is a secret.
TELLS = {
    f"{COLLECTION}.encryption_info": lambda options: True,
    f"{COLLECTION}.helm_template": lambda options: True,
    f"{COLLECTION}.kubeadm_token": lambda options: options.get("state") != "absent",
    f"{COLLECTION}.root_kubeconfig": lambda options: "return_content" in options,
    "ansible.builtin.slurp": lambda options: True,
    "community.crypto.openssl_privatekey_pipe": lambda options: True,
}
# What of a secret variable is none: attributes, and expressions that tell only about it.
OPEN = (
    r"\.(?:csr|endpoint|exists|expires|faults|file|outline|paths?|refused|rewrite|source)\b"
    r"|\.token is defined|\.transitions(?:\[\w+\]\.title| \| length)| \| length\b| is (?:not )?defined| == ''"
    r"|(?: \| (?:default|selectattr|rejectattr)\([^)]*\))*"
    r" \| map\(attribute='(?:name|path|settings\.remote|ssh_known_hosts)'"
    r"| \| default\(\[\]\) \| map\(attribute='mirrors', default=\[\]\) \| flatten\s+\| map\(attribute='url'\)"
)


class CapturedError(Exception):
    """Carries the argument specification out of a module."""


def argument_spec(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    def capture(_self: AnsibleModule, argument_spec: dict[str, Any], **_others: Any) -> None:
        raise CapturedError(argument_spec)

    monkeypatch.setattr(AnsibleModule, "__init__", capture)
    with pytest.raises(CapturedError) as caught:
        importlib.import_module(f"ansible_collections.{COLLECTION}.plugins.modules.{name}").main()
    spec: dict[str, Any] = caught.value.args[0]
    return spec


def walk_options(spec: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, option in spec.items():
        yield prefix + name, option
        yield from walk_options(option.get("options") or {}, f"{prefix}{name}.")


@pytest.mark.parametrize("name", MODULES)
def test_options_of_modules(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = dict(walk_options(argument_spec(name, monkeypatch)))
    assert {(name, option) for option, is_ in found.items() if is_.get("no_log")} == {h for h in HIDDEN if h[0] == name}
    unsaid = [
        option
        for option, is_ in found.items()
        if SUSPICIOUS.search(option.rpartition(".")[2].replace("_", " "))
        and is_["type"] != "bool"
        and "no_log" not in is_
    ]
    assert unsaid == []


def tasks_of(path: Path) -> Iterator[dict[str, Any]]:
    """The tasks of a file; what a block says counts for its tasks."""

    def walk(items: list[dict[str, Any]], around: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for item in items:
            inner = [name for name in ("block", "rescue", "always", "tasks", "pre_tasks", "post_tasks") if name in item]
            inherited = {**around, **{name: item[name] for name in ("become", "delegate_to", "no_log") if name in item}}
            for name in inner:
                yield from walk(item[name] or [], inherited)
            if not inner:
                yield {**inherited, **item}

    yield from walk(yaml.safe_load(path.read_text()), {})


def module_of(task: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    for name, options in task.items():
        if name.count(".") == 2:
            return name, options if isinstance(options, dict) else {}
    return "", {}


def text_of(value: Any) -> str:
    """All of Ansible's expressions in a value, with the templates that they name."""
    if isinstance(value, dict):
        return " ".join(text_of(item) for item in value.values())
    if isinstance(value, list):
        return " ".join(text_of(item) for item in value)
    expressions = " ".join(re.findall(r"{[{%].*?[%}]}", str(value), re.DOTALL))
    templates = [
        path for name in re.findall(r"[\w.]+\.j2", expressions) for path in ROOT.glob(f"roles/*/templates/{name}")
    ]
    # Texts for people name variables too.
    # These filters take keys and passwords and give none.
    expressions = re.sub(r"etcd_authority\([^)]*\)", "", expressions)
    taken = (
        r"(?: \| default\(\[\]\))? \| groundwork\.kubernetes\.(containerd_registry_proofs|registries_without_logins)\b"
    )
    expressions = re.sub(rf"container_runtime_registry_mirrors{taken}", "", expressions)
    names = re.sub(r"'[^']*'|\"[^\"]*\"", lambda quoted: "" if " " in quoted[0] else quoted[0], expressions)
    return names + " ".join(text_of(path.read_text()) for path in templates)


def mentions(text: str, names: set[str]) -> set[str]:
    """Those of the variables that a text shows more of than what is open."""
    return {name for name in re.findall(rf"(?<!if )\b\w+\b(?!{OPEN})", text) if name in names}


def tells(task: dict[str, Any]) -> bool:
    module, options = module_of(task)
    return module in TELLS and TELLS[module](options)


def variables() -> dict[str, str]:
    """The roles' own variables, with what they are made of."""
    found: dict[str, str] = {}
    for path in [*ROOT.glob("roles/*/vars/**/*.yml"), *ROOT.glob("roles/*/defaults/**/*.yml")]:
        for name, value in (yaml.safe_load(path.read_text()) or {}).items():
            found[name] = text_of(value)
    return found


def marked(spec: dict[str, Any]) -> bool:
    return any(option.get("no_log") for _name, option in walk_options({"": spec}))


def secret_variables() -> set[str]:
    """Inputs that are secrets, results that are, and what is made of them."""
    found = {task["register"] for path in TASKS for task in tasks_of(path) if tells(task) and "register" in task}
    for path in ROOT.glob("roles/*/meta/argument_specs.yml"):
        for point in yaml.safe_load(path.read_text())["argument_specs"].values():
            found |= {name for name, option in (point.get("options") or {}).items() if marked(option)}
    while more := {name for name, text in variables().items() if name not in found and mentions(text, found)}:
        found |= more
    return found


SECRETS = secret_variables()


def test_the_secrets_are_known() -> None:
    assert {
        "backup_copies",
        "container_runtime_environment",
        "etcd_ca_key",
        "__backup_extra_files",
        "__control_plane_authority_copies",
        "__control_plane_join_config",
        "__control_plane_kubeconfig_text",
        "__etcd_ca_pair",
        "__etcd_certificates",
    } <= SECRETS
    assert not {"etcd_pki_dir", "__backup_copies", "__etcd_pki", "__restore_plan", "kubernetes_version"} & SECRETS


def shown(task: dict[str, Any]) -> set[str]:
    """What Ansible would show of a task: its options, as far as no module hides them, and the items of its loop."""
    module, options = module_of(task)
    short = module.removeprefix(f"{COLLECTION}.")
    reported = [
        text_of(value)
        for name, value in options.items()
        if (short, name) not in HIDDEN and (module, name) not in HIDDEN_ELSEWHERE and name != "that"
    ]
    # What files does not hide.
    entries = options.get("files") if short == "files" else None
    reported += [text_of(entry) for entry in entries or [] if isinstance(entry, dict) and entry.get("mode") != "0600"]
    items = [] if "label" in task.get("loop_control", {}) else [text_of(task.get("loop", ""))]
    return mentions(" ".join(reported + items), SECRETS)


def hidden(task: dict[str, Any]) -> bool:
    """Whether nothing of a task is shown, or nothing whenever the option is set that makes its result a secret."""
    _module, options = module_of(task)
    return task.get("no_log") is True or task.get("no_log", "") == options.get("return_content")


@pytest.mark.parametrize("path", TASKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_tasks_show_no_secret(path: Path) -> None:
    for task in tasks_of(path):
        if hidden(task):
            continue
        assert not tells(task), f"{task['name']}: its result is a secret, and no_log is missing"
        assert not shown(task), f"{task['name']}: it shows what {', '.join(sorted(shown(task)))} holds"


HERE = ["localhost", "127.0.0.1"]


@pytest.mark.parametrize("path", TASKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_nobody_becomes_root_on_the_controller(path: Path) -> None:
    for task in tasks_of(path):
        if task.get("delegate_to") in HERE:
            assert task.get("become") is False, task["name"]
        # A third user could read no files that Ansible puts on a host.
        assert "become_user" not in task, task["name"]


@pytest.mark.parametrize(
    "path",
    [*ROOT.glob("playbooks/*.yml"), *(path for path in ROOT.glob("molecule/*/*.yml") if path.name != "molecule.yml")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_plays_become_root_themselves(path: Path) -> None:
    """So that no inventory has to, and a user with a password for sudo can run them."""
    for play in yaml.safe_load(path.read_text()):
        if "hosts" not in play or not (play.get("roles") or play.get("tasks")):
            continue
        expected = {"localhost": None, "all,localhost": "{{ inventory_hostname != 'localhost' }}"}
        assert play.get("become") == expected.get(play["hosts"], True), play["name"]
