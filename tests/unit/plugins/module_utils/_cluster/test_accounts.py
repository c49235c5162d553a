"""Accounts and bindings as data: what cannot be, what they become in the cluster, and what is due."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.account_state import (
    Cluster,
    Issued,
    Record,
    RecordError,
    binding_objects,
    cluster_faults,
    due,
    listed,
    returning_faults,
    table,
    unknown_names,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.accounts import (
    Account,
    Binding,
    account_faults,
    binding_faults,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = 1_800_000_000.0
HOUR = 3600
SEALED = {"encrypt_to": ["age1x"]}


def request(*names: str, groups: tuple[str, ...] = (), extension: bool = False) -> str:
    pairs = [(NameOID.ORGANIZATION_NAME, group) for group in groups] + [(NameOID.COMMON_NAME, name) for name in names]
    subject = x509.Name([x509.NameAttribute(oid, text) for oid, text in pairs])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if extension:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("api")]), critical=False)
    made = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


def account(name: str = "alice", **more: Any) -> Account:
    return Account.of({"name": name, **SEALED, **more}, 24)


def token(**more: Any) -> Account:
    return account("deploy", kind="token", namespace="shop", groups=["ci"], **more)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, []),
        ({"name": "alice@example.com", "groups": ["developers", "oidc:team/a"]}, []),
        ({"name": "system:admin"}, ["names that begin with system: are Kubernetes' own"]),
        ({"name": "a b"}, ["the name 'a b' cannot be used"]),
        ({"name": "a" * 65}, [f"the name '{'a' * 65}' cannot be used"]),
        ({"name": "-x"}, ["the name '-x' cannot be used"]),
        ({"name": "https://id/alice"}, ["the name 'https://id/alice' cannot be used"]),
        ({"groups": ["system:masters"]}, ["system:masters is refused: no rule holds for it"]),
        ({"groups": ["system:nodes"]}, ["the group system:nodes is refused"]),
        ({"groups": ["system:authenticated", "a b"]}, ["the group system:authenticated is", "the group 'a b' cannot"]),
        ({"hours": 9000}, ["hours is 9000; give a number from 1 to 8784"]),
        ({"hours": -1}, ["hours is -1"]),
        ({"encrypt_to": []}, ["give either request"]),
        ({"request": request("alice")}, ["give either request"]),
        ({"namespace": "shop"}, ["namespace is that of a service account"]),
        ({"encrypt_to": [], "request": request("alice")}, []),
        ({"encrypt_to": [], "request": request("bob")}, ["request is for 'bob' and not for 'alice'"]),
        ({"encrypt_to": [], "request": request("alice", "bob")}, ["request is for 'alice, bob' and not"]),
        ({"encrypt_to": [], "request": request("alice", groups=("developers",))}, ["request asks for the group dev"]),
        ({"encrypt_to": [], "request": request("alice", groups=("system:masters",))}, ["request asks for the group"]),
        ({"encrypt_to": [], "request": request("alice", extension=True)}, ["request asks for more than a name"]),
        ({"encrypt_to": [], "request": "alice.csr"}, ["request cannot be read"]),
        ({"kind": "token", "namespace": "shop"}, []),
        ({"kind": "token"}, ["a service account is one of a namespace"]),
        ({"kind": "token", "namespace": "Shop", "name": "A"}, ["the name 'A' cannot be", "a service account is one"]),
        ({"kind": "token", "namespace": "shop", "encrypt_to": []}, ["give encrypt_to"]),
        ({"kind": "token", "namespace": "shop", "request": "x"}, ["request is for a certificate"]),
        ({"kind": "oidc", "encrypt_to": [], "name": "https://id.example.com#alice"}, []),
        ({"kind": "oidc"}, ["the kubeconfig of an account by OIDC holds no secret"]),
        # Who is revoked needs no more than a name.
        ({"state": "absent", "encrypt_to": [], "groups": ["system:masters"]}, []),
        ({"state": "absent", "name": ""}, ["the name '' cannot be used"]),
    ],
)
def test_accounts(given: dict[str, Any], expected: list[str]) -> None:
    found = account_faults([Account.of({"name": "alice", **SEALED, **given}, 24)], "user_")
    assert len(found) == len(expected), found
    for text, start in zip(found, expected, strict=True):
        assert text.startswith("user_accounts[0] (")
        assert start in text


def test_two_accounts_need_files_of_their_own() -> None:
    found = account_faults([account("a.b"), account("A.b"), token(), account("shop-deploy")])
    assert found == [
        "accounts[1] (A.b): it has the same files as accounts[0]; name one otherwise",
        "accounts[3] (shop-deploy): it has the same files as accounts[2]; name one otherwise",
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"cluster_role": "edit", "namespaces": ["shop"]}, []),
        ({"role": "deployer", "namespaces": ["shop", "bank"]}, []),
        ({"cluster_role": "system:node-reader", "namespaces": ["*"]}, []),
        ({"namespaces": ["shop"]}, ["give role or cluster_role"]),
        ({"cluster_role": "a/b", "namespaces": ["shop"]}, ["give role or cluster_role"]),
        ({"cluster_role": "edit"}, ["give namespaces, or ['*']"]),
        ({"cluster_role": "edit", "namespaces": ["*", "shop"]}, ["namespaces '*' stands alone"]),
        ({"role": "edit", "namespaces": ["*"]}, ["namespaces '*' stands alone"]),
        ({"cluster_role": "edit", "namespaces": ["Shop"]}, ["the namespace 'Shop' cannot be"]),
        ({"cluster_role": "edit", "namespaces": ["shop", "shop"]}, ["edit in shop is there twice"]),
        ({"group": "system:masters", "cluster_role": "edit", "namespaces": ["shop"]}, ["system:masters is refused"]),
        ({"group": "system:authenticated", "cluster_role": "edit", "namespaces": ["shop"]}, ["is refused"]),
        ({"group": "ci", "cluster_role": "edit", "namespaces": ["shop"]}, []),
        ({"group": "ci", "cluster_role": "edit", "namespaces": ["*"]}, ["limited to its namespace, not *"]),
        (
            {"group": "ci", "cluster_role": "edit", "namespaces": ["shop", "bank"]},
            ["limited to its namespace, not bank"],
        ),
    ],
)
def test_bindings(given: dict[str, Any], expected: list[str]) -> None:
    found = binding_faults([Binding.of({"group": "developers", **given})], [token(), account(groups=["ci"])], "user_")
    assert len(found) == len(expected), found
    for text, part in zip(found, expected, strict=True):
        assert text.startswith("user_bindings[0] (")
        assert part in text


DEVELOPERS = Binding.of({"group": "developers", "cluster_role": "view", "namespaces": ["shop", "bank"]})
EVERYWHERE = Binding.of({"group": "operators", "cluster_role": "view", "namespaces": ["*"]})
CI = Binding.of({"group": "ci", "role": "deployer", "namespaces": ["shop"]})


def test_members_stand_in_bindings_by_name() -> None:
    accounts = [
        account("bob", groups=["developers", "operators"]),
        account("alice", groups=["developers"]),
        account("mallory", groups=["developers"], state="absent"),
        token(),
    ]
    found = binding_objects([DEVELOPERS, EVERYWHERE, CI], accounts)
    assert [(item["kind"], item["metadata"].get("namespace")) for item in found] == [
        ("RoleBinding", "shop"),
        ("RoleBinding", "bank"),
        ("ClusterRoleBinding", None),
        ("RoleBinding", "shop"),
    ]
    rbac = "rbac.authorization.k8s.io"
    assert found[0] == {
        "apiVersion": f"{rbac}/v1",
        "kind": "RoleBinding",
        "metadata": {
            "name": found[0]["metadata"]["name"],
            "namespace": "shop",
            "labels": {"groundwork.kubernetes/user": "binding"},
            "annotations": {"groundwork.kubernetes/group": "developers"},
        },
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "view"},
        "subjects": [
            {"kind": "Group", "apiGroup": rbac, "name": "developers"},
            {"kind": "User", "apiGroup": rbac, "name": "alice"},
            {"kind": "User", "apiGroup": rbac, "name": "bob"},
        ],
    }
    assert found[0]["metadata"]["name"].startswith("groundwork:developers:view-")
    assert found[3]["roleRef"]["kind"] == "Role"
    assert found[3]["subjects"][1] == {"kind": "ServiceAccount", "name": "deploy", "namespace": "shop"}


def test_names_of_bindings_are_their_own() -> None:
    pairs = [("a", "b:c"), ("a:b", "c"), ("a-b", "c"), ("a/b", "c"), ("A-b", "c")]
    bindings = [Binding.of({"group": group, "cluster_role": role, "namespaces": ["x"]}) for group, role in pairs]
    bindings.append(Binding.of({"group": "a", "role": "b:c", "namespaces": ["x"]}))
    found = [item["metadata"]["name"] for item in binding_objects(bindings, [])]
    assert len(set(found)) == len(found)
    assert not any("/" in name for name in found)


def cluster(*records: Record, ours: tuple[str, ...] = (), names: str = "") -> Cluster:
    return Cluster(
        {record.title: record for record in records},
        [],
        list(ours),
        {(kind, "" if place == "-" else place, name) for kind, place, name in map(str.split, names.splitlines())},
    )


def record(
    title: str = "alice", ends: float = NOW + HOUR, delivered: bool = True, revoked: int = 0, kind: str = "certificate"
) -> Record:
    return Record(title, kind, (Issued("5f", kind, int(NOW - HOUR), int(ends), delivered),), revoked)


@pytest.mark.parametrize(
    ("there", "wanted", "renew", "expected"),
    [
        (cluster(), [account()], [], {"issue": ["alice"]}),
        (cluster(record()), [account()], [], {}),
        (cluster(record()), [account()], ["alice"], {"issue": ["alice"]}),
        # What has ended is not issued again by itself; what never arrived is.
        (cluster(record(ends=NOW - 1)), [account()], [], {}),
        (cluster(record(delivered=False)), [account()], [], {"issue": ["alice"]}),
        (cluster(), [account(kind="oidc", encrypt_to=[])], [], {}),
        (cluster(), [token()], [], {"create": ["shop/deploy"], "issue": ["shop/deploy"]}),
        (cluster(record("shop/deploy", kind="token"), ours=("shop/deploy",)), [token()], [], {}),
        # Tokens end with their service account.
        (
            cluster(record("shop/deploy", kind="token")),
            [token()],
            [],
            {"create": ["shop/deploy"], "issue": ["shop/deploy"]},
        ),
        (cluster(record()), [account(state="absent")], [], {"revoke": ["alice"]}),
        (cluster(record(revoked=1)), [account(state="absent")], [], {}),
        (cluster(record(revoked=1, ends=NOW - 1)), [account(state="absent")], [], {"forget": ["alice"]}),
        (cluster(), [account(state="absent")], [], {}),
        (cluster(ours=("shop/deploy",)), [token(state="absent")], [], {"revoke": ["shop/deploy"]}),
        # Who is not named any more is known until nothing of his holds.
        (cluster(record()), [], [], {}),
        (cluster(record(ends=NOW - 1)), [], [], {"forget": ["alice"]}),
    ],
)
def test_what_is_due(there: Cluster, wanted: list[Account], renew: list[str], expected: dict[str, list[str]]) -> None:
    found = due(there, wanted, renew, NOW)
    titles = {
        "revoke": [one.title for one in found.revoke],
        "create": [one.title for one in found.create],
        "issue": [one.title for one in found.issue],
        "forget": list(found.forget),
    }
    assert {name: value for name, value in titles.items() if value} == expected


def test_what_the_cluster_lacks() -> None:
    names = "Namespace - shop\nClusterRole - view\nServiceAccount shop deploy\nRole bank deployer"
    found = cluster_faults(cluster(names=names), [DEVELOPERS, EVERYWHERE, CI], [token()])
    assert found == [
        "the group developers is to be bound in the namespace bank, which does not exist; make it first",
        "the group ci: the namespace shop has no Role deployer; make it first",
        "shop/deploy: this service account is there and not this collection's (label groundwork.kubernetes/user); take "
        "another name",
    ]
    absent = token(state="absent")
    assert len(cluster_faults(cluster(names=names), [], [absent])) == 1
    assert cluster_faults(cluster(names=names, ours=("shop/deploy",)), [], [absent, token()]) == []


def test_a_name_that_was_revoked_is_not_used_while_its_certificate_holds() -> None:
    assert returning_faults(cluster(record(revoked=int(NOW - 60))), [account()], NOW) == [
        "alice was revoked on 2027-01-15 07:59 UTC, and its certificate 5f still logs in until 2027-01-15 09:00 UTC: "
        "it would have the name's rights again; wait, or take another name"
    ]
    assert returning_faults(cluster(record(revoked=1, ends=NOW - 1)), [account()], NOW) == []
    assert returning_faults(cluster(record(revoked=1)), [account(state="absent")], NOW) == []


def test_names_to_renew() -> None:
    accounts = [account(), account("carol", kind="oidc", encrypt_to=[]), account("mallory", state="absent")]
    assert unknown_names(["alice"], accounts) == []
    assert unknown_names(["carol", "mallory"], accounts) == [
        "renew: carol is no account; name one of alice",
        "renew: mallory is no account; name one of alice",
    ]


def test_a_record_is_what_its_object_says() -> None:
    first = record("shop/Deploy@x", delivered=False)
    item = first.object()
    assert item["metadata"]["name"].startswith("groundwork-user-shop-deploy-x-")
    assert Record.of(item) == first
    assert Record.of(item).with_delivered(["5f"]).issued[0].delivered
    more = first.with_issued(Issued("60", "certificate", int(NOW), int(NOW + 9 * HOUR)), NOW + 2 * HOUR)
    assert [one.id for one in more.issued] == ["60"]


@pytest.mark.parametrize(
    "data",
    [{}, {"issued": "x"}, {"issued": '[{"id": 1}]'}, {"issued": "[]", "account": "a", "kind": "b", "revoked": "x"}],
)
def test_a_record_that_cannot_be_read_is_not_taken_for_none(data: dict[str, str]) -> None:
    item = {**record().object(), "data": data}
    with pytest.raises(RecordError, match=r"groundwork-user-alice-.* in kube-system cannot be read"):
        Cluster.of([item], "")


def test_the_list() -> None:
    accounts = [account(groups=["developers"]), account("carol", kind="oidc", encrypt_to=[]), account("dave")]
    accounts.append(account("mallory", state="absent"))
    there = cluster(record(), record("mallory", revoked=1), record("old"), record("dave", ends=NOW - 1))
    found = listed(there, binding_objects([DEVELOPERS], accounts), accounts, NOW)
    assert [re.split(r"  +", line) for line in table(found)] == [
        ["ACCOUNT", "GROUPS", "MAY", "LOGS IN BY"],
        ["alice", "developers", "view in shop, view in bank", "certificate until 2027-01-15 09:00 UTC"],
        ["carol", "-", "nothing", "OIDC, as long as its provider lets it"],
        ["dave", "-", "nothing", "certificate ended 2027-01-15 07:59 UTC"],
        ["mallory", "-", "nothing", "revoked; its certificate logs in until 2027-01-15 09:00 UTC"],
        ["old", "-", "nothing", "certificate until 2027-01-15 09:00 UTC, not in the inventory"],
    ]
    assert table([]) == ["There are no accounts."]
