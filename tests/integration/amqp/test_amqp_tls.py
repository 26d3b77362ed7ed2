"""Over amqps the broker must be who its name says."""

from __future__ import annotations

import socket
import ssl
import threading

import pytest
import trustme

from orchestrator.adapters.amqp_connection import open_connection

AUTHORITY = trustme.CA()


@pytest.fixture
def impostor(tmp_path, monkeypatch):
    """A server whose certificate is trusted, but issued for another name than 127.0.0.1."""
    authority_file = tmp_path / "authority.pem"
    AUTHORITY.cert_pem.write_to_path(str(authority_file))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("broker.example").configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0))
    seen = bytearray()

    def serve():
        peer, _ = listener.accept()
        with peer:
            try:
                with context.wrap_socket(peer, server_side=True) as secured:
                    seen.extend(secured.recv(64))
            except OSError:
                return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1], seen
    listener.close()
    thread.join(5)


def test_a_trusted_certificate_of_another_host_is_refused_before_anything_is_said(impostor):
    port, seen = impostor
    with pytest.raises(ssl.SSLCertVerificationError):
        open_connection(f"amqps://user:secret@127.0.0.1:{port}//")
    assert seen == b""
