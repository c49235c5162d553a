"""Text of an inventory in files, units and commands: it is refused by its variable's name, or arrives as it was.

Each place where a role writes a value gets each of the texts. What validation lets pass is rendered by Ansible, and
read back by the program that reads it on a host, or by its parser.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import tomllib
import yaml
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import timer_units
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.package_repository import parse_repository
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import reconcile
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import (
    api_endpoint,
    argument_specs,
    empty_values,
    network,
    nodes,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import text as text_inputs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs

sys.path.insert(0, str(Path(__file__).parent))

from rendering import ROOT, render

TEXTS = [
    "plain", "two words", " led", "trailed ", 'a"b', "it's", "$(id)", "`id`", "${HOME}", "$HOME", "50%", "%n", "%%",
    "-lead", "--flag=x", "#hash", "a # b", ";semi", "a;b", "a\\b", "a\\", "ends\\n", "a\nb", "a\rb",
    "a\n[section]\nb=c", "tab\tx", "nul\x00", "esc\x1b[0m", "ünï☃", "\U0001f600", "a\u2028b", "!x", "&a", "*", "a: b",
    "{x}", "[y]", "'''", '"""', "~", "..", "a,b", "a=b", "@x", "|x",
]  # fmt: skip
SPECS = argument_specs.load_specs(ROOT / "roles")
SYSTEMD = Path("/lib/systemd/systemd")
# Those of the checks of validate_inputs that judge texts.
CHECKS = [
    text_inputs.text, empty_values.empty_values, nodes.node_name, nodes.node_address, network.cidrs
]  # fmt: skip
FACTS = {
    "interfaces": ["lo", "eth0"],
    "lo": {"device": "lo", "ipv4": {"address": "127.0.0.1"}},
    "eth0": {"device": "eth0", "ipv4": {"address": "192.0.2.11"}},
    "architecture": "x86_64",
    "pkg_mgr": "apt",
    "os_family": "Debian",
}
# What every host needs to be sound.
SOUND: dict[str, Any] = {
    "kubernetes_node_name": "n1", "kubernetes_node_ip": "192.0.2.11", "kubernetes_pod_cidr": "10.244.0.0/16",
    "kubernetes_service_cidr": "10.96.0.0/12", "kubernetes_version": "1.36.5", "kubernetes_dns_domain": "cluster.local",
    "kubernetes_control_plane_group": "kube_control_plane", "kubernetes_node_group": "kube_node",
    "kubernetes_etcd_group": "etcd", "kubernetes_load_balancer_group": "kube_load_balancer",
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A place where a text is written.

    Attributes:
        role: whose.
        variable: the one that holds it.
        shown: the role's expression for the file.
        read: gets the file and gives the text, or texts, that its reader sees.
        value: makes the variable's value of a text.
        also: other variables that lead there.
        expected: what is to be read.
    """

    role: str
    variable: str
    shown: str
    read: Callable[[str], Any]
    value: Callable[[str], Any] = str
    also: dict[str, Any] = field(default_factory=dict)
    expected: Callable[[str], Any] = str

    def faults(self, text: str) -> list[str]:
        """What validation says of the variable."""
        values = {**SOUND, **self.also, self.variable: self.value(text)}
        host = HostInput("n1", values)
        given = Inputs([host], {"kube_control_plane": ["n1"]}, SPECS)
        found = [*(fault for check in CHECKS for fault in check(host, given)), *api_endpoint.api_address(given)]
        return [fault.text for fault in found if self.variable in fault.text]


def template(name: str) -> str:
    """The text of a template."""
    return f"lookup('ansible.builtin.template', '{name}')"


def environment_file(text: str) -> dict[str, str]:
    """What systemd reads of an EnvironmentFile, as systemd.exec(5) says, of values in double quotes and without."""
    found = {}
    for name, quoted, bare in re.findall(r'^(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^"\n]*))$', text, re.MULTILINE | re.DOTALL):
        found[name] = re.sub(r'\\(["\\`$])', r"\1", quoted) if quoted else bare.strip()
    return found


def of_environment(name: str) -> Callable[[str], str]:
    return lambda text: environment_file(text)[name]


def of_shell(name: str) -> Callable[[str], str]:
    """What the program that a shell script starts finds in its environment."""

    def read(text: str) -> str:
        script = text.rpartition("exec ")[0] + "exec /usr/bin/env -0"
        done = subprocess.run(["/bin/sh", "-c", script], check=True, capture_output=True, text=True, env={})
        return dict(pair.split("=", 1) for pair in done.stdout.split("\0") if pair)[name]

    return read


def systemd_reads(units: list[str]) -> list[str]:
    """What the real systemd makes of units: its own account of each."""
    if not SYSTEMD.exists():
        pytest.skip("there is no systemd on this machine")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "sysinit.target.wants").mkdir()
        for number, text in enumerate(units):
            (folder / f"x{number}.service").write_text(text if "ExecStart=" in text else f"{text}ExecStart=/bin/true\n")
            (folder / "sysinit.target.wants" / f"x{number}.service").symlink_to(folder / f"x{number}.service")
        # It does not do so as root.
        other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        environment = {"SYSTEMD_UNIT_PATH": f"{folder}:", "PATH": os.environ["PATH"]}
        command = [*other, str(SYSTEMD), "--test", "--system"]
        done = subprocess.run(command, check=False, capture_output=True, env=environment)
    message = done.stdout.decode("utf-8", "surrogateescape")
    accounts = [message.partition(f"-> Unit x{number}.service:\n")[2] for number in range(len(units))]
    assert all(accounts), done.stderr.decode()[-2000:]
    return [account.partition("-> Unit ")[0] for account in accounts]


def line(name: str) -> Callable[[str], list[str]]:
    """The lines of an account that begin with a name."""
    return lambda dump: re.findall(rf"^\s*{re.escape(name)}: (.*?)(?=\n\t+[A-Z-])", dump, re.MULTILINE | re.DOTALL)


def unit(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """A reader of what systemd makes of a unit; the fixture gives it systemd."""
    read.__dict__["of_systemd"] = True
    return read


def commands(dump: str) -> list[list[str]]:
    """The command lines, as systemd would run them."""
    return [
        [word.replace("\\$", "$").replace("\\`", "`") for word in shlex.split(found)]
        for found in re.findall(r"Command Line: (.*)", dump)
    ]


def rclone(text: str) -> dict[str, dict[str, str]]:
    """The remotes as rclone reads them; as Python reads them where there is no rclone."""
    program = shutil.which("rclone")
    if program is None:
        parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=None, strict=True)
        parser.optionxform = str  # type: ignore[assignment, method-assign]
        parser.read_string(text.replace("# Ansible managed\n", ""))
        return {name: dict(parser[name]) for name in parser.sections()}
    command = [program, "--config", "/dev/stdin", "config", "dump"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, input=text)
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    return found


def copies(**own: Any) -> list[dict[str, Any]]:
    return [{"name": "away", "path": "bucket", "settings": {"type": "s3"}, **own}]


def toml_of(path: str) -> Callable[[str], Any]:
    """A value in a file of TOML."""

    def read(text: str) -> Any:
        value: Any = tomllib.loads(text)
        for key in path.split("|"):
            value = value[key]
        return value

    return read


def files(expression: str, name: str) -> str:
    """The content of one of a role's files."""
    return f"({expression} | selectattr('path', 'search', '{name}') | map(attribute='content') | first)"


def pod_environment(name: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        container = yaml.safe_load(text)["spec"]["containers"][0]
        return {**{item["name"]: item["value"] for item in container["env"]}, "image": container["image"]}[name]

    return read


KUBE_VIP = {
    "kubernetes_api_load_balancer": "kube_vip", "kubernetes_api_endpoint": "192.0.2.50:6443",
    "__endpoint_node": {"role": "none", "interrupted": ""},
}  # fmt: skip
HAPROXY = {"kubernetes_api_load_balancer": "haproxy", "kubernetes_api_endpoint": "192.0.2.50:8443"}
ETCD_UNIT, ETCDCTL = template("etcd.service.j2"), template("etcdctl.sh.j2")


def both_folders(text: str) -> list[str]:
    """What etcd may write to, where the data and its log are in one folder."""
    return [f"/srv/{text} /srv/{text}"]


def below_srv(text: str) -> str:
    return f"/srv/{text}"


PLACES: dict[str, Place] = {
    # etcd
    "etcd_data_dir in the unit": Place(
        "etcd", "etcd_data_dir", ETCD_UNIT, unit(line("ReadWritePaths")), below_srv, {}, both_folders
    ),
    "etcd_wal_dir in the unit's condition": Place(
        "etcd",
        "etcd_wal_dir",
        ETCD_UNIT,
        unit(lambda dump: re.findall(r"AssertPathExistsGlob: \|(.*/\*\.wal)", dump)),
        below_srv,
        {},
        lambda text: [f"/srv/{text}/*.wal"],
    ),
    "etcd_data_dir in the environment": Place(
        "etcd", "etcd_data_dir", "__etcd_environment", of_environment("ETCD_DATA_DIR"), below_srv, {}, below_srv
    ),
    "etcd_wal_dir": Place(
        "etcd",
        "etcd_wal_dir",
        ETCD_UNIT,
        unit(line("ReadWritePaths")),
        below_srv,
        {},
        both_folders,
    ),
    "etcd_bin_dir in the unit": Place(
        "etcd", "etcd_bin_dir", ETCD_UNIT, unit(commands), below_srv, {}, lambda text: [[f"/srv/{text}/etcd"]]
    ),
    "etcd_bin_dir in the script": Place(
        "etcd",
        "etcd_bin_dir",
        ETCDCTL,
        lambda text: shlex.split(text.splitlines()[-1])[1],
        below_srv,
        {},
        lambda text: f"/srv/{text}/etcdctl",
    ),
    "etcd_client_cacert": Place(
        "etcd", "etcd_client_cacert", ETCDCTL, of_shell("ETCDCTL_CACERT"), below_srv, {}, below_srv
    ),
    "etcd_client_key": Place("etcd", "etcd_client_key", ETCDCTL, of_shell("ETCDCTL_KEY"), below_srv, {}, below_srv),
    "etcd_client_endpoints": Place(
        "etcd", "etcd_client_endpoints", ETCDCTL, of_shell("ETCDCTL_ENDPOINTS"), lambda text: [text], {}
    ),
    "etcd_settings": Place(
        "etcd", "etcd_settings", "__etcd_environment", of_environment("ETCD_CORS"), lambda text: {"cors": text}, {}
    ),
    "kubernetes_cluster_name": Place(
        "etcd", "kubernetes_cluster_name", "__etcd_bootstrap", of_environment("ETCD_INITIAL_CLUSTER_TOKEN"), str, {}
    ),
    "kubernetes_node_name": Place(
        "etcd", "kubernetes_node_name", "__etcd_environment", of_environment("ETCD_NAME"), str, {}
    ),
    "kubernetes_node_ip": Place(
        "etcd",
        "kubernetes_node_ip",
        "__etcd_environment",
        of_environment("ETCD_LISTEN_PEER_URLS"),
        str,
        {},
        lambda text: f"https://{text}:2380",
    ),
    # kubernetes
    "kubernetes_bin_dir": Place(
        "kubernetes",
        "kubernetes_bin_dir",
        template("kubelet.service.j2"),
        unit(commands),
        below_srv,
        {},
        lambda text: [[f"/srv/{text}/kubelet"]],
    ),
    "kubernetes_bin_dir in the drop-in": Place(
        "kubernetes",
        "kubernetes_bin_dir",
        template("10-kubeadm.conf.j2"),
        unit(lambda dump: commands(dump)[0][0]),
        below_srv,
        {},
        lambda text: f"/srv/{text}/kubelet",
    ),
    "kubernetes_download_url": Place(
        "kubernetes",
        "kubernetes_download_url",
        "__kubernetes_artifacts[0].url",
        lambda text: text.partition("/release/")[0],
        lambda text: f"https://{text}",
        {},
        lambda text: f"https://{text}",
    ),
    # container_runtime
    "container_runtime_environment": Place(
        "container_runtime",
        "container_runtime_environment",
        template("environment.conf.j2"),
        unit(lambda dump: line("Environment")(f"{dump}\n\tX")[0].partition("=")[2]),
        lambda text: {"HTTPS_PROXY": text},
    ),
    "container_runtime_registry_mirrors.registry": Place(
        "container_runtime",
        "container_runtime_registry_mirrors",
        "__container_runtime_hosts_files[0].path",
        lambda text: text.split("/")[4],
        lambda text: [{"registry": text, "mirrors": [{"url": "https://m.example.com"}]}],
    ),
    "container_runtime_registry_mirrors.mirrors.ca": Place(
        "container_runtime",
        "container_runtime_registry_mirrors",
        "__container_runtime_hosts_files[0].content",
        toml_of("host|https://m.example.com|ca"),
        lambda text: [{"registry": "r", "mirrors": [{"url": "https://m.example.com", "ca": text}]}],
    ),
    "container_runtime_containerd_config": Place(
        "container_runtime",
        "container_runtime_containerd_config",
        files("__container_runtime_containerd_files", "config.toml"),
        toml_of("own"),
        lambda text: {"own": text},
    ),
    "container_runtime_docker_config": Place(
        "container_runtime",
        "container_runtime_docker_config",
        files("__container_runtime_docker_files", "daemon.json"),
        lambda text: json.loads(text)["own"],
        lambda text: {"own": text},
    ),
    "kubernetes_image_repository": Place(
        "container_runtime",
        "kubernetes_image_repository",
        template("cri-dockerd.service.j2"),
        unit(lambda dump: commands(dump)[0][-1].partition("image=")[2].rpartition("/pause:")[0]),
        str,
        {"kubernetes_container_runtime": "docker"},
    ),
    # endpoint
    "endpoint_interface": Place(
        "endpoint",
        "endpoint_interface",
        template("keepalived.conf.j2"),
        lambda text: re.findall(r"^    interface (.*)$", text, re.MULTILINE),
        str,
        HAPROXY,
        lambda text: [text],
    ),
    "endpoint_virtual_ip": Place(
        "endpoint",
        "endpoint_virtual_ip",
        template("keepalived.conf.j2"),
        lambda text: re.findall(r"virtual_ipaddress \{\n        (.*)/32\n    }", text),
        str,
        {**HAPROXY, "kubernetes_api_endpoint": "api.example.com:8443"},
        lambda text: [text],
    ),
    "endpoint_kube_vip_environment": Place(
        "endpoint",
        "endpoint_kube_vip_environment",
        template("kube-vip.yaml.j2"),
        pod_environment("own"),
        lambda text: {"own": text},
        KUBE_VIP,
    ),
    "endpoint_kube_vip_image": Place(
        "endpoint", "endpoint_kube_vip_image", template("kube-vip.yaml.j2"), pod_environment("image"), str, KUBE_VIP
    ),
    # backup
    "backup_copies.name": Place(
        "backup", "backup_copies", template("rclone.conf.j2"), lambda text: list(rclone(text)),
        lambda text: copies(name=text), {}, lambda text: [text]
    ),
    "backup_copies.settings": Place(
        "backup", "backup_copies", template("rclone.conf.j2"), lambda text: rclone(text)["away"],
        lambda text: copies(settings={"type": "s3", "secret": text, "last": "x"}), {},
        lambda text: {"type": "s3", "secret": text, "last": "x"}
    ),
    "backup_copies.settings, a name": Place(
        "backup", "backup_copies", template("rclone.conf.j2"), lambda text: rclone(text)["away"],
        lambda text: copies(settings={"type": "s3", text: "x"}), {}, lambda text: {"type": "s3", text: "x"}
    ),
    # cni
    "cni_bridge_settings.bridge": Place(
        "cni", "cni_bridge_settings", template("kubernetes-pod-traffic.service.j2"),
        unit(lambda dump: next(words[words.index("-o") + 1] for words in commands(dump) if "-o" in words)),
        lambda text: {"bridge": text},
    ),
    "kubernetes_pod_cidr": Place(
        "cni", "kubernetes_pod_cidr", template("kubernetes-pod-traffic.service.j2"),
        unit(lambda dump: commands(dump)[0][7]), lambda text: text,
    ),
}  # fmt: skip
NEVER = {"a\nb", "a\n[section]\nb=c", "nul\x00", "esc\x1b[0m"}


def fitting(hosts: dict[str, dict[str, Any]], text: str, values: dict[str, Any]) -> dict[str, Any]:
    """A host of a text that has no other values of some variables; fewer hosts are rendered sooner."""
    for number in range(len(PLACES)):
        start = {"kubernetes_node_ip": "192.0.2.11", "kubernetes_node_name": "n1", "shown_here": {}}
        host = hosts.setdefault(f"{text}-{number}", start)
        if all(host.get(name, value) == value or name in start for name, value in values.items()):
            return host
    raise AssertionError


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    """The files of each place for each text that validation lets pass."""
    found: dict[tuple[str, str], str] = {}
    for role in sorted({place.role for place in PLACES.values()}):
        hosts: dict[str, dict[str, Any]] = {}
        for number, text in enumerate(TEXTS):
            for name, place in PLACES.items():
                if place.role == role and not place.faults(text):
                    values = {**place.also, place.variable: place.value(text)}
                    host = fitting(hosts, f"h{number}", values)
                    host.update(values)
                    host["shown_here"][name] = f"{{{{ {place.shown} }}}}"
        inventory = {"children": {"kube_control_plane": {"hosts": hosts}}}
        done = render(tmp_path_factory.mktemp(role), role, inventory, FACTS, {"here": "{{ shown_here }}"})
        for host, values in done.items():
            text = TEXTS[int(host[1:].partition("-")[0])]
            found |= {(name, text): str(shown) for name, shown in values["here"].items()}
    return found


@pytest.mark.parametrize("name", PLACES)
def test_a_text_is_refused_or_arrives(rendered: dict[tuple[str, str], str], name: str) -> None:
    place = PLACES[name]
    passed = [text for text in TEXTS if (name, text) in rendered]
    written = [rendered[name, text] for text in passed]
    if "of_systemd" in getattr(place.read, "__dict__", {}):
        written = systemd_reads(written)
    found = {text: place.read(content) for text, content in zip(passed, written)}
    assert found == {text: place.expected(text) for text in passed}
    # Each place takes something; addresses are never among the texts.
    assert passed or name in ("kubernetes_node_ip", "endpoint_virtual_ip", "kubernetes_pod_cidr")


@pytest.mark.parametrize("text", sorted(NEVER))
@pytest.mark.parametrize("variable", sorted({place.variable for place in PLACES.values()}))
def test_what_is_refused_is_named(variable: str, text: str) -> None:
    written_whole = {
        "container_runtime_containerd_config",
        "container_runtime_docker_config",
        "endpoint_kube_vip_environment",
    }
    for name, place in PLACES.items():
        if place.variable == variable and (variable not in written_whole or text[0] in "ne"):
            assert place.faults(text), name


@pytest.mark.parametrize("text", TEXTS)
def test_arguments_of_the_kubelet(text: str) -> None:
    """kubeadm writes them as "--name=value" with spaces between, and systemd splits that line again."""
    place = Place("kubernetes", "kubernetes_kubelet_extra_args", "", str, lambda text: [{"name": "x", "value": text}])
    if place.faults(text):
        return
    line_of_kubeadm = reconcile.replace_arguments('KUBELET_KUBEADM_ARGS="--y=1"\n', [], place.value(text))
    assert shlex.split(environment_file(line_of_kubeadm)["KUBELET_KUBEADM_ARGS"])[-1] == f"--x={text}"


def test_a_schedule() -> None:
    schedules = []
    for text in TEXTS:
        options = {
            "name": "x", "state": "present", "module": "backup", "calendar": "daily", "description": text,
            "timeout": "1h", "randomized_delay": "0", "nice": 0, "io_class": "idle", "state_file": None,
            "python": None, "max_age": 0, "writable_paths": [f"/srv/{text}"],
        }  # fmt: skip
        found = " ".join(timer_units.faults(options))
        options |= {"description": "x"} if "description" in found else {}
        options |= {"writable_paths": ["/srv/x"]} if "writable_paths" in found else {}
        schedules.append(options)
    dumps = systemd_reads([timer_units.service_text(timer_units.Places("x"), options, "") for options in schedules])
    for options, dump in zip(schedules, dumps):
        assert line("Description")(dump) == [options["description"].strip()]
        assert line("ReadWritePaths")(dump) == [f"-/var/lib/groundwork -{options['writable_paths'][0]}"]
    assert len({options["description"] for options in schedules}) > 20


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("option", ["name", "url", "suite", "components"])
def test_a_repository(text: str, option: str) -> None:
    own = [text] if option == "components" else text
    given = {
        "name": "x", "url": "https://x", "suite": "a", "components": ["b"], "key": "https://x/k", "fingerprints": [],
        "signed_metadata": True, option: own,
    }  # fmt: skip
    refused, repository = "", None
    try:
        repository = parse_repository(given)
    except ValueError as error:
        refused = str(error)
    if repository is None:
        assert option in refused
        return
    parser = configparser.RawConfigParser(delimiters=("=",))
    parser.read_string(repository.yum("/k", []))
    shown = dict(parser[repository.name])
    assert (shown["baseurl"], parser.sections()) == (given["url"], [given["name"]])
    fields = dict(row.split(": ", 1) for row in repository.deb822("/k").splitlines())
    assert (fields["URIs"], fields["Suites"].split(), fields["Components"].split()) == (
        given["url"], [given["suite"]], given["components"]
    )  # fmt: skip
