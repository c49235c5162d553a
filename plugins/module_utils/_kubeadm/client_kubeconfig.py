# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kubeconfig with a client certificate, as kubeadm writes it: whose, of which cluster, how long it holds.

It is read on its host, since it holds a key, which stays there. What cannot be read counts as no certificate, so that
another one is issued.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Sequence, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.certificate import (
    Certificate,
    certificates,
    fingerprint,
    parse_certificate,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.der import DerError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import Kubeadm, KubeadmError

AUTHORITIES, CLIENTS, KEY = "certificate-authority-data", "client-certificate-data", "client-key-data"
# kubeadm up to 1.20 says so of the command that issues kubeconfigs.
UNKNOWN = 'unknown command "kubeconfig"'
# A certificate is renewed when less than this part of the time that it holds is left.
RENEWED_AT = 1 / 3


class KubeconfigError(Exception):
    """It is no kubeconfig with a client certificate."""


def due(certificate: Certificate, now: float) -> bool:
    """Whether it has to be renewed."""
    return certificate.ends - now < (certificate.ends - certificate.begins) * RENEWED_AT


@dataclass(frozen=True)
class ClientKubeconfig:
    """A kubeconfig.

    Attributes:
        server: the API's URL.
        authorities: the certificates of the authorities that it trusts, in DER.
        certificate: the client's certificate, in DER.
        client: what that certificate says.
    """

    server: str
    authorities: Tuple[bytes, ...]
    certificate: bytes
    client: Certificate

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the client's certificate, in hexadecimal digits."""
        return fingerprint(self.certificate)

    def usable(self, authorities: Sequence[bytes], now: float) -> bool:
        """Whether a cluster of these authorities takes it, and it takes the cluster."""
        return bool(authorities) and authorities[0] in self.authorities and now < self.client.ends

    def unfit(self, user: str, server: str, authorities: Sequence[bytes], now: float) -> str:
        """Why it has to be issued anew; nothing if it has not.

        Args:
            user: whose it is to be, without a group.
            server: the API's URL; empty if any will do.
            authorities: the certificates of the cluster's authority, in DER. The first is the one that signs.
            now: the time, in seconds since 1970.
        """
        if self.client.user != user or self.client.groups:
            return f"it is not that of {user} alone"
        if server and self.server != server:
            return f"it leads to {self.server} and not to {server}"
        if not authorities or authorities[0] not in self.authorities:
            return "the cluster's authority is another one"
        return "less than a third of the time that its certificate holds is left" if due(self.client, now) else ""


def server_of(text: str) -> str:
    """The URL that a kubeconfig of kubeadm leads to; empty if it has none or several."""
    found = set(re.findall(r"^\s*(?:-\s+)?server:\s*(\S+)\s*$", text, re.MULTILINE))
    return found.pop() if len(found) == 1 else ""


def data_of(text: str, name: str) -> bytes:
    """What a kubeconfig holds under this name in base64, once.

    Raises:
        KubeconfigError: if it has none, or several.
    """
    found = re.findall(rf"^\s*{name}:\s*(\S+)\s*$", text, re.MULTILINE)
    if len(found) != 1:
        raise KubeconfigError(f"it has {name} {len(found)} times")
    try:
        return base64.b64decode(found[0], validate=True)
    except binascii.Error:
        raise KubeconfigError(f"its {name} is not in base64") from None


def with_client(text: str, source: str) -> str:
    """A kubeconfig with the client's certificate and key of another one; all else in it stays.

    Raises:
        KubeconfigError: if one of them has none, or several.
    """
    for name in (CLIENTS, KEY):
        data_of(text, name)
        value = base64.b64encode(data_of(source, name)).decode()
        text = re.sub(rf"^(\s*{name}:\s*)\S+[ \t]*$", rf"\g<1>{value}", text, flags=re.MULTILINE)
    return text


def with_authorities(text: str, authorities: bytes) -> str:
    """A kubeconfig that trusts these authorities and no others; all else in it stays."""
    value = base64.b64encode(authorities).decode()
    return re.sub(rf"(?m)^(\s*{AUTHORITIES}:\s*)\S+[ \t]*$", rf"\g<1>{value}", text)


def keeping_authorities(before: str, after: str) -> str:
    """A kubeconfig that kubeadm has renewed, which goes on trusting what it trusted.

    kubeadm lets it trust the first authority in the file alone, also while two are trusted. What kubeadm adds stays.
    """
    try:
        trusted, now = (certificates(data_of(text, AUTHORITIES)) for text in (before, after))
        return with_authorities(after, data_of(before, AUTHORITIES)) if set(now) < set(trusted) else after
    except (DerError, KubeconfigError):
        return after


def parse_kubeconfig(text: str) -> ClientKubeconfig:
    """Read a kubeconfig as kubeadm writes it.

    Raises:
        KubeconfigError: if it is another file.
    """
    data_of(text, KEY)
    try:
        authorities, clients = (certificates(data_of(text, name)) for name in (AUTHORITIES, CLIENTS))
        if not server_of(text) or not clients:
            raise KubeconfigError("it has no server or no certificate")
        return ClientKubeconfig(server_of(text), tuple(authorities), clients[0], parse_certificate(clients[0]))
    except DerError as error:
        raise KubeconfigError(f"its certificate cannot be read: {error}") from error


def issue(kubeadm: Kubeadm, user: str, groups: Sequence[str], config: str) -> str:
    """The kubeconfig that kubeadm issues for a user.

    Raises:
        KubeadmError: if it issues none.
    """
    command = ["kubeconfig", "user", f"--client-name={user}", *(f"--org={group}" for group in groups)]
    command.append(f"--config={config}")
    try:
        output = kubeadm.run(*command)
    except KubeadmError as error:
        # Up to 1.20 the command is among those that were tried out.
        if UNKNOWN not in str(error):
            raise
        output = kubeadm.run("alpha", *command)
    # Warnings come before it, such as of an endpoint with another port than the API server's.
    return output[max(0, output.find("apiVersion:")) :]
