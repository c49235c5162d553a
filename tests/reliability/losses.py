"""What kubeadm made on hosts is lost: verify names it, site makes it good, and a further run changes nothing.

python3 -m reliability.losses HOST... ends the certificates of kubelets.
"""

from __future__ import annotations

import base64
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from .cluster import TOPOLOGIES, Cluster, say
from .faults import Fault, Outcome, last, nth

K8S, KUBELET = "/etc/kubernetes", "/var/lib/kubelet"
PEM = f"{KUBELET}/pki/kubelet-client-current.pem"
RESTART = "systemctl restart kubelet"
MISSING, SITE = "it is missing", "The playbook site makes it good."


@dataclass(frozen=True)
class Loss:
    """What is lost on a host, how, and what verify says of it; without a script, its kubelet's certificate ends."""

    host: Callable[[Cluster], str]
    script: str
    named: tuple[str, ...]


@dataclass
class Lose(Fault):
    """Files are removed or spoilt; verify and a check name them, and one run of site makes all of it good."""

    losses: tuple[Loss, ...] = ()
    gap: float | None = 30.0
    hosts: list[str] = field(default_factory=list)

    def inject(self, cluster: Cluster, outcome: Outcome) -> None:
        """Lose them."""
        self.hosts = [loss.host(cluster) for loss in self.losses]
        outcome.target = ", ".join(sorted(set(self.hosts)))
        for host, loss in zip(self.hosts, self.losses, strict=True):
            say(f"{self.name}: {host}: {loss.script or ', '.join(loss.named)}")
            if loss.script:
                cluster.shell(host, loss.script)
            else:
                end_certificate(cluster, host)

    def observe(self, cluster: Cluster, outcome: Outcome) -> None:
        """Verify names all of it, and so does a check."""
        run = cluster.playbook("verify", f"verify-{self.name}", verify_settle=0)
        said = " ".join(run.output.split())
        outcome.expect(run.code != 0, f"verify passes: see {run.log}")
        check = cluster.playbook("site", f"check-{self.name}", "--check", "--diff")
        outcome.expect(check.code == 0, f"a check of site fails: see {check.log}")
        for host, loss in zip(self.hosts, self.losses, strict=True):
            for text in loss.named:
                wanted = f"{host}: {text}"
                outcome.expect(wanted in said, f"verify does not say '{wanted}': see {run.log}")
                lost = text.partition(": ")[0]
                outcome.expect(lost in check.output, f"a check of site does not name {lost}: see {check.log}")
                outcome.notes.append(f"verify: {wanted}")

    def heal(self, cluster: Cluster, outcome: Outcome) -> None:
        """Run site."""
        run = cluster.site(f"site-{self.name}")
        outcome.notes.append(f"site: {run.changed} changes in {run.seconds:.0f} s")

    def after(self, cluster: Cluster, outcome: Outcome) -> None:
        """A further run changes nothing."""
        again = cluster.site("site-again")
        outcome.expect(again.changed == 0, f"a further run of site changes {again.changed} things: see {again.log}")


def end_certificate(cluster: Cluster, host: str) -> None:
    """Give a kubelet a certificate that has ended, for the key that it has."""
    own = cluster.shell(host, f"cat {PEM}").encode()
    signer = cluster.control_planes[0]
    authority, key = (cluster.shell(signer, f"cat {K8S}/pki/ca.{kind}").encode() for kind in ("crt", "key"))
    text = base64.b64encode(ended(own, authority, key)).decode()
    cluster.shell(host, f"echo {text} | base64 -d > $(readlink -f {PEM}) && {RESTART}")


def ended(own: bytes, authority: bytes, key: bytes) -> bytes:
    """A kubelet's certificate as it is but for its time, which is over, with its key."""
    before, signer = x509.load_pem_x509_certificate(own), x509.load_pem_x509_certificate(authority)
    now = datetime.now(timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(before.subject)
        .issuer_name(signer.subject)
        .public_key(before.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now - timedelta(days=1))
    )
    for extension in before.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    signed = builder.sign(serialization.load_pem_private_key(key, None), hashes.SHA256())  # type: ignore[arg-type]
    private = own[own.index(b"-----BEGIN", own.index(b"-----END CERTIFICATE")) :]
    return signed.public_bytes(serialization.Encoding.PEM) + private


def plane(number: int, script: str, *named: str) -> Loss:
    """A loss on a control plane."""
    return Loss(nth("kube_control_plane", number), script, named)


def manifest(name: str) -> str:
    """A static pod's manifest."""
    return f"{K8S}/manifests/{name}.yaml"


def edit(name: str, argument: str) -> str:
    """The command that adds an argument to a static pod, as people do."""
    return f"sed -i {shlex.quote(f's/^    - {name}$/&{chr(92)}n    - {argument}/')} {manifest(name)}"


DIFFERS = "it differs from what kubeadm writes"
ADMINISTRATORS = "--client-name=kubernetes-admin --org=kubeadm:cluster-admins"
LOSSES: list[Fault] = [
    Lose(
        "lose-manifests",
        "Manifests of a scheduler, a controller manager and an API server are removed or edited",
        losses=(
            plane(1, f"rm {manifest('kube-scheduler')}", f"{manifest('kube-scheduler')}: {MISSING}"),
            plane(
                2,
                edit("kube-controller-manager", "--v=3"),
                f"{manifest('kube-controller-manager')}: {DIFFERS}",
            ),
            plane(3, edit("kube-apiserver", "--v=3"), f"{manifest('kube-apiserver')}: {DIFFERS}"),
        ),
    ),
    Lose(
        "lose-files",
        "Kubeconfigs, keys, and configurations and flags of kubelets are removed, emptied, or another's",
        losses=(
            plane(
                1,
                f": > {K8S}/admin.conf; rm {K8S}/kubelet.conf; {RESTART}",
                f"{K8S}/admin.conf: it is empty. {SITE}",
                f"{K8S}/kubelet.conf: {MISSING}. {SITE}",
            ),
            plane(
                3,
                f"cp {K8S}/controller-manager.conf {K8S}/scheduler.conf; rm {K8S}/controller-manager.conf",
                f"{K8S}/controller-manager.conf: {MISSING}. {SITE}",
                f"{K8S}/scheduler.conf: it is that of system:kube-controller-manager, and not of system:kube-scheduler",
            ),
            plane(
                2,
                # A kubeconfig, and the key that signs it
                f"cd {K8S}/pki && rm sa.key sa.pub ca.key etcd/ca.crt ../scheduler.conf",
                f"{K8S}/scheduler.conf: {MISSING}. {SITE}",
                f"{K8S}/pki/sa.key: {MISSING}. The playbook site copies it from control-plane-",
                f"{K8S}/pki/ca.key: {MISSING}. The playbook site copies it from control-plane-",
                f"{K8S}/pki/etcd/ca.crt: {MISSING}. The playbook site copies it from control-plane-",
            ),
            plane(
                2,
                f"sed -i s/^cgroupDriver:.*/cgroupDriver:/ {KUBELET}/config.yaml && : > {KUBELET}/kubeadm-flags.env",
                f"{KUBELET}/config.yaml: it does not have as they were applied: cgroupDriver. {SITE}",
                f"{KUBELET}/kubeadm-flags.env: it does not set KUBELET_KUBEADM_ARGS. {SITE}",
            ),
            plane(
                1,
                f"cd {K8S}/pki && rm apiserver.key && cp sa.key front-proxy-client.key",
                f"{K8S}/pki/apiserver.key: it is missing or empty. {SITE}",
                f"{K8S}/pki/front-proxy-client.crt: {K8S}/pki/front-proxy-client.crt and",
            ),
            Loss(nth("kube_node", 1), f"rm {K8S}/kubelet.conf; {RESTART}", (f"{K8S}/kubelet.conf: {MISSING}. {SITE}",)),
            Loss(
                last("kube_node"),
                f"rm {KUBELET}/config.yaml {KUBELET}/kubeadm-flags.env; {RESTART}",
                (
                    f"{KUBELET}/config.yaml: it is missing or empty. {SITE}",
                    f"{KUBELET}/kubeadm-flags.env: {MISSING}. {SITE}",
                ),
            ),
        ),
    ),
    Lose(
        "lose-access",
        "An API server does not start, a member's manifest, rights and a kubelet's certificate are lost",
        losses=(
            plane(
                1,
                f"cd {K8S} && kubeadm alpha kubeconfig user {ADMINISTRATORS} --config=kubeadm.yaml "
                "| sed -n '/^apiVersion/,$p' > /root/admin.new && cat "
                "/root/admin.new > admin.conf && rm /root/admin.new",
                f"administrators' rights: the administrator of admin.conf may not do everything. {SITE}",
            ),
            plane(2, edit("kube-apiserver", "--no-such-flag"), f"{manifest('kube-apiserver')}: {DIFFERS}"),
            plane(3, f"rm {manifest('etcd')}", f"{manifest('etcd')}: {MISSING}"),
            Loss(last("kube_node"), "", (f"{K8S}/kubelet.conf: the kubelet's certificate has ended. {SITE}",)),
        ),
    ),
]


if __name__ == "__main__":
    for name in sys.argv[1:]:
        end_certificate(Cluster(TOPOLOGIES["stacked"], "haproxy"), name)
