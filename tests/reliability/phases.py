"""kubeadm is killed with SIGKILL in each of its phases, again and again, and site goes on each time.

A watcher on the host sees by its effects which phase kubeadm has come to. Then it kills kubeadm, or all that the run
has on the host, and Ansible dies, too: what a power cut of both machines leaves.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from .cluster import Cluster, kill_tree, say
from .faults import Outcome
from .interrupted import OnFreshHosts

K8S, KUBELET = "/etc/kubernetes", "/var/lib/kubelet"
WITHIN = 600.0
# Runs on the host, with the standard library alone.
WATCHER = r"""
import base64, glob, json, os, re, signal, ssl, sys, threading, time, urllib.request

point, within = json.loads(sys.argv[1]), float(sys.argv[2])
killing = threading.Lock()


def leave():
    # Nobody waits any more where its input ends; what was begun is said.
    sys.stdin.read()
    with killing:
        os._exit(0)


threading.Thread(target=leave, daemon=True).start()


def stamp(path):
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def processes():
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as stream:
                yield int(path.split("/")[2]), stream.read().decode(errors="replace").split("\0")
        except OSError:
            pass


def kubeadms(command):
    return [number for number, words in processes() if words[0].endswith("kubeadm") and command in words]


def there(path):
    # The object is asked for as the administrator of this host, as soon as there is one.
    try:
        with open("/etc/kubernetes/admin.conf", encoding="utf-8") as stream:
            text = stream.read()
        data = dict(re.findall(r"(certificate-authority|client-certificate|client-key)-data: (\S+)", text))
        decoded = {name: base64.b64decode(value).decode() for name, value in data.items()}
        context = ssl.create_default_context(cadata=decoded["certificate-authority"])
        with open("/run/phase.pem", "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as stream:
            stream.write(decoded["client-certificate"] + decoded["client-key"])
        context.load_cert_chain("/run/phase.pem")
        os.unlink("/run/phase.pem")
        server = re.search(r"server: (\S+)", text).group(1)
        with urllib.request.urlopen(server + path, context=context, timeout=1) as answer:
            found = json.load(answer)
        return bool(found.get("items", True))
    except (OSError, KeyError, AttributeError, ValueError):
        return False


before = stamp(point["path"])
print("watching", flush=True)
deadline = time.monotonic() + within
while time.monotonic() < deadline:
    numbers = kubeadms(point["command"])
    came = not point["path"] or (
        there(point["path"]) if point["path"].startswith("/api") else stamp(point["path"]) not in (None, before)
    )
    if numbers and came:
        if point["everything"]:
            numbers += [
                number
                for number, words in processes()
                if number != os.getpid() and "python" in words[0] and any(".ansible" in word for word in words)
            ]
        with killing:
            for number in numbers:
                try:
                    os.kill(number, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            print(len(numbers), flush=True)
        break
    time.sleep(0.1 if point["path"].startswith("/api") else 0.005)
"""


@dataclass(frozen=True)
class Phase:
    """Where kubeadm is killed: as soon as something is there that the phase makes.

    Attributes:
        name: kubeadm's name of the phase.
        path: a file of the host that is new then, or an object's path in the API; without, kubeadm has just begun.
        command: kubeadm's command.
        everything: whether all that the run has on the host is killed, and Ansible.
    """

    name: str
    path: str = ""
    command: str = "init"
    everything: bool = True

    def __str__(self) -> str:
        """Where, for people."""
        what = "kubeadm and Ansible are killed" if self.everything else "kubeadm is killed"
        return f"{self.command}, {self.name}: {what}" + (f" when there is {self.path}" if self.path else " at once")


SYSTEM = "/api/v1/namespaces/kube-system"
INIT = (
    Phase("preflight"),
    Phase("certs", f"{K8S}/pki/ca.crt", everything=False),
    Phase("certs", f"{K8S}/pki/sa.key"),
    Phase("kubeconfig", f"{K8S}/admin.conf"),
    Phase("kubeconfig", f"{K8S}/scheduler.conf", everything=False),
    Phase("kubelet-start", f"{KUBELET}/kubeadm-flags.env"),
    Phase("kubelet-start", f"{KUBELET}/config.yaml", everything=False),
    Phase("control-plane", f"{K8S}/manifests/kube-apiserver.yaml"),
    Phase("control-plane", f"{K8S}/manifests/kube-scheduler.yaml", everything=False),
    Phase("etcd", f"{K8S}/manifests/etcd.yaml"),
    Phase("wait-control-plane", "/api/v1/namespaces"),
    Phase("upload-config", f"{SYSTEM}/configmaps/kubeadm-config", everything=False),
    Phase("mark-control-plane", "/api/v1/nodes?labelSelector=node-role.kubernetes.io/master"),
    Phase("bootstrap-token", "/api/v1/namespaces/kube-public/configmaps/cluster-info"),
    Phase("addon", f"{SYSTEM}/configmaps/kube-proxy", everything=False),
)
JOIN = (
    Phase("preflight", command="join"),
    Phase("kubelet-start", f"{K8S}/bootstrap-kubelet.conf", "join"),
    Phase("kubelet-start", f"{K8S}/pki/ca.crt", "join", everything=False),
    Phase("kubelet-start", f"{KUBELET}/config.yaml", "join"),
    Phase("kubelet-start", f"{KUBELET}/kubeadm-flags.env", "join", everything=False),
    Phase("kubelet-start", f"{K8S}/kubelet.conf", "join"),
)


def kill_in(cluster: Cluster, host: str, phase: Phase, label: str) -> tuple[str, bool]:
    """Run site until it is killed in a phase; what that did, and whether the phase was met."""
    command = ["podman", "exec", "--interactive", f"{cluster.lab.settings.name}-{host}", "python3", "-c", WATCHER]
    watcher = subprocess.Popen(
        [*command, json.dumps(asdict(phase)), str(WITHIN)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert watcher.stdout
    watcher.stdout.readline()
    process, log = cluster.start_playbook("site", label, "--limit", host)
    while process.poll() is None and watcher.poll() is None:
        time.sleep(0.1)
    met = watcher.communicate()[0].strip().isdigit()  # its input ends, and so does it
    if met and phase.everything:
        kill_tree(process)
        return str(phase), True
    code = process.wait()
    return f"{phase}: site ended with {code}, see {log.name}" + ("" if met else "; the phase was not met"), met


@dataclass
class InterruptedPhases(OnFreshHosts):
    """In one phase after the other."""

    name: str = "interrupted-phases"
    title: str = "kubeadm is killed in each phase of init and join"
    where: str = "the control plane, then the worker"
    topologies: tuple[str, ...] = ("small",)
    phases: Sequence[Phase] = (*INIT, *JOIN)

    def inject(self, cluster: Cluster, outcome: Outcome) -> None:
        """Kill it in every phase."""
        for number, phase in enumerate(self.phases, 1):
            say(f"{self.name}: {phase}")
            host = cluster.control_planes[0] if phase.command == "init" else cluster.names("kube_node")[0]
            note, met = kill_in(cluster, host, phase, f"phase-{number:02d}")
            outcome.notes.append(note)
            outcome.expect(met, note)
