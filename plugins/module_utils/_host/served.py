# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificate a port shows who connects."""

from __future__ import annotations

import socket
import ssl
from typing import Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.certificate import (
    Certificate,
    parse_certificate,
)

TIMEOUT = 5.0


def served_certificate(host: str, port: int, pair: Tuple[str, str] = ("", "")) -> Certificate:
    """The certificate that a port shows; whether it is good is not looked at.

    Args:
        host: address.
        port: its number.
        pair: files of a client's certificate and key, for a server that ends the connection without; empty for none.

    Raises:
        OSError: if nothing answers, or not with TLS.
        DerError: if what it shows cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if all(pair):
        context.load_cert_chain(*pair)
    with socket.create_connection((host, port), TIMEOUT) as connection, context.wrap_socket(connection) as session:
        return parse_certificate(session.getpeercert(binary_form=True) or b"")


def is_shown_by(host: str, port: int, authority: str) -> bool:
    """Whether a port shows a certificate that is good by an authority alone; its name is not looked at.

    Args:
        host: address.
        port: its number.
        authority: the certificate of the authority, in PEM.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    try:
        context.load_verify_locations(cadata=authority)
        with socket.create_connection((host, port), TIMEOUT) as connection, context.wrap_socket(connection):
            return True
    except OSError:  # that of ssl is one
        return False
