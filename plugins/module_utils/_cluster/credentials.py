# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an account logs in with: a certificate by a request, or a service account's token, and the kubeconfig around it.

Keys and tokens are in the memory of the module alone, until the kubeconfig that holds them is encrypted.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.account_state import Issued, moment
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.accounts import (
    CERTIFICATE,
    TOKEN,
    Account,
    Object,
    digest,
    slug,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api import poll
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.certificate_requests import approved
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import Kubectl, KubectlError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.certificate import (
    certificates,
    parse_certificate,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.der import DerError

SIGNER = "kubernetes.io/kube-apiserver-client"
REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
SIGNING_TIMEOUT = 60.0
# From this minor version on the API server passes on how long a certificate should hold.
EXPIRATION_SINCE = 22
# What the clocks of hosts may differ by.
SPARE = 300
# An exec plugin for accounts by OIDC; this version of its interface every kubectl knows.
EXEC_API = "client.authentication.k8s.io/v1beta1"


class CredentialError(Exception):
    """Nothing was issued; the message says why, and what to do."""


@dataclass(frozen=True)
class Credential:
    """What a kubeconfig has of its user, and what is noted of it."""

    user: Object
    issued: Issued


def openssl(module: AnsibleModule, arguments: List[str], stdin: Optional[str] = None) -> str:
    """What openssl writes to its output; keys go through pipes alone.

    Raises:
        CredentialError: if it fails.
    """
    path = module.get_bin_path("openssl")
    if path is None:
        raise CredentialError("openssl is not installed on this host; it makes keys")
    rc, out, err = module.run_command([path, *arguments], data=stdin, binary_data=False, expand_user_and_vars=False)
    if rc:
        raise CredentialError(f"openssl {arguments[0]} failed with exit code {rc}: {err.strip()[:300]}")
    return str(out)


def make_request(module: AnsibleModule, name: str) -> Tuple[str, str]:
    """A new key, and a request for a certificate of this name: both in PEM."""
    key = openssl(module, ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"])
    subject = "/CN=" + name.replace("+", "\\+")
    return key, openssl(module, ["req", "-new", "-key", "/dev/stdin", "-subj", subject], key)


class Issuer:
    """Lets a cluster issue what accounts log in with."""

    def __init__(self, module: AnsibleModule, kubectl: Kubectl, accept_longer: bool) -> None:
        self.module, self.kubectl, self.accept_longer = module, kubectl, accept_longer

    def issue(self, account: Account) -> Credential:
        """What the account logs in with from now on.

        Raises:
            CredentialError: if nothing was issued, or what was issued was thrown away.
            KubectlError: if the API server refuses something.
        """
        return self._token(account) if account.kind == TOKEN else self._certificate(account)

    def _too_long(self, account: Account, ends: float, how: str, advice: str) -> None:
        if ends > time.time() + account.hours * 3600 + SPARE and not self.accept_longer:
            raise CredentialError(
                f"{account.title}: {how} would hold until {moment(ends)}, longer than the {account.hours} h that "
                f"were asked for. It was thrown away. {advice}; or take it as it is, with accept_longer"
            )

    def _certificate(self, account: Account) -> Credential:
        key = ""
        request = account.request
        if not request:
            key, request = make_request(self.module, account.name)
        pem = self._signed(account, request)
        try:
            certificate = parse_certificate(certificates(pem.encode())[0])
        except (DerError, IndexError) as error:
            raise CredentialError(f"{account.title}: what was signed is no certificate: {error}") from error
        if (certificate.user, certificate.groups) != (account.name, ()):
            raise CredentialError(
                f"{account.title}: what was signed is of {certificate.user} in {', '.join(certificate.groups) or 'no'} "
                "groups. It was thrown away."
            )
        advice = (
            "API servers before 1.22 ignore the wish: set the controller managers' --cluster-signing-duration, or "
            "upgrade"
        )
        self._too_long(account, certificate.ends, "the certificate", advice)
        encoded = base64.b64encode(pem.encode()).decode()
        held: Object = {"client-key-data": base64.b64encode(key.encode()).decode()} if key else {}
        user = {"client-certificate-data": encoded, **(held or {"client-key": f"{account.file}.key"})}
        return Credential(user, Issued(certificate.serial, CERTIFICATE, int(time.time()), int(certificate.ends)))

    def _signed(self, account: Account, request: str) -> str:
        """The certificate that the cluster signs; the request does not stay."""
        name = f"groundwork-{slug(account.name)[:100]}-{secrets.token_hex(4)}"
        body = {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"name": name},
            "spec": {
                "request": base64.b64encode((request.strip() + "\n").encode()).decode(),
                "signerName": SIGNER,
                "usages": ["client auth"],
                "expirationSeconds": account.hours * 3600,
            },
        }
        created = json.loads(self.kubectl.run("create", f"--raw={REQUESTS}", "--filename=-", stdin=json.dumps(body)))
        try:
            now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
            approval = approved(created, now, "The inventory has this account.", "KnownAccount")
            path = f"--raw={REQUESTS}/{name}/approval"
            self.kubectl.run("replace", path, "--filename=-", stdin=json.dumps(approval))
            return self._awaited(account, name)
        finally:
            self._remove(name)

    def _awaited(self, account: Account, name: str) -> str:
        found: Dict[str, str] = {}

        def pending() -> str:
            status = (self.kubectl.get("certificatesigningrequests", name) or {}).get("status") or {}
            for condition in status.get("conditions") or []:
                if condition["type"] in ("Failed", "Denied"):
                    raise CredentialError(f"{account.title}: the request was refused: {condition.get('message', '')}")
            found["pem"] = status.get("certificate") or ""
            return "" if found["pem"] else "nobody has signed it"

        missing = poll(pending, SIGNING_TIMEOUT)
        if missing:
            raise CredentialError(
                f"{account.title}: the request was approved, but after {SIGNING_TIMEOUT:.0f} seconds {missing}; see "
                "the controller manager's log"
            )
        return base64.b64decode(found["pem"]).decode("ascii")

    def _remove(self, name: str) -> None:
        try:
            self.kubectl.run("delete", "certificatesigningrequests", name, "--ignore-not-found", "--wait=false")
        except KubectlError as error:
            self.module.warn(f"The request {name} stays until the cluster removes it: {error}")

    def _token(self, account: Account) -> Credential:
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": account.hours * 3600},
        }
        path = f"/api/v1/namespaces/{account.namespace}/serviceaccounts/{account.name}/token"
        answer = json.loads(self.kubectl.run("create", f"--raw={path}", "--filename=-", stdin=json.dumps(body)))
        token = str((answer.get("status") or {}).get("token") or "")
        ends = token_end(token)
        if not ends:
            raise CredentialError(f"{account.title}: what the API server gave is no token with an end")
        self._too_long(account, ends, "the token", "Ask for more hours")
        return Credential({"token": token}, Issued(digest(token), TOKEN, int(time.time()), ends))


def token_end(token: str) -> int:
    """Until when a service account's token holds, in seconds since 1970; 0 where it does not say."""
    parts = token.split(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return int(claims["exp"])
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return 0


def oidc_user(settings: Mapping[str, Any]) -> Object:
    """The part of a kubeconfig of who logs in by OIDC: kubectl's plugin oidc-login, which opens a browser."""
    arguments = ["oidc-login", "get-token", f"--oidc-issuer-url={settings['issuer_url']}"]
    arguments.append(f"--oidc-client-id={settings['client_id']}")
    arguments += [f"--oidc-extra-scope={scope}" for scope in settings.get("scopes") or []]
    return {"exec": {"apiVersion": EXEC_API, "command": "kubectl", "args": arguments}}


def kubeconfig(account: Account, cluster: Object, name: str, user: Object, namespace: str = "") -> str:
    """A kubeconfig, in JSON, which is YAML.

    Args:
        account: whose.
        cluster: its server and its authority, as in another kubeconfig.
        name: the cluster's name.
        user: what the user logs in with.
        namespace: where kubectl works unless it is told otherwise.
    """
    context = {"cluster": name, "user": account.title, **({"namespace": namespace} if namespace else {})}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": account.title, "user": user}],
        "contexts": [{"name": f"{account.title}@{name}", "context": context}],
        "current-context": f"{account.title}@{name}",
    }
    return json.dumps(config, indent=2) + "\n"


def cluster_of(kubectl: Kubectl, server: str) -> Object:
    """The cluster's server and authority, as the administrator's kubeconfig has them.

    Raises:
        CredentialError: if that trusts no authority.
    """
    template = "--output=jsonpath={.clusters[0].cluster}"
    found = json.loads(kubectl.run("config", "view", "--raw", "--minify", "--flatten", template))
    authority = found.get("certificate-authority-data")
    if not authority:
        raise CredentialError("the administrator's kubeconfig has no authority, so that nobody could trust the cluster")
    return {"server": server or found["server"], "certificate-authority-data": authority}
