"""A small Keycloak: the certs endpoint of one realm, over http or https, whose keys rotate, and
which may misbehave.

Its address is <url>/realms/<realm>/protocol/openid-connect/certs. .keys are those it shows;
.behaviour, if set, is called for each request with its handler and returns true if it has answered
in another way.
"""
import http.server
import json
import socket
import ssl
import threading
import time

from lablib.facts import wait_for
from forge import openssl, rsa_key

REALM = "vantage6"
PATH = f"/realms/{REALM}/protocol/openid-connect/certs"
# Keycloak shows the key that it encrypts by, too.
ENCRYPTION = {"kid": "for-encryption", "kty": "RSA", "alg": "RSA-OAEP", "use": "enc",
              "n": "w" * 342, "e": "AQAB"}


def _certify(base, name, extension, days, *signer):
    """The key and the certificate of this name, as base.key and base.pem."""
    with open(f"{base}.ext", "w", encoding="ascii") as file:
        file.write(extension)
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{base}.key",
            "-out", f"{base}.csr", "-subj", f"/CN={name}")
    openssl("x509", "-req", "-in", f"{base}.csr", *signer, "-days", str(days),
            "-extfile", f"{base}.ext", "-out", f"{base}.pem")
    if days == 0:
        made = int(time.time())
        wait_for(lambda: time.time() > made + 1, "its last second to be over")


class Authority:
    """A CA, and the certificates that it gives. Of 0 days, either has expired."""

    def __init__(self, folder, name="ca", days=2):
        self.base = f"{folder}/{name}"
        self.file = f"{self.base}.pem"
        _certify(self.base, name, "basicConstraints=critical,CA:TRUE", days,
                 "-signkey", f"{self.base}.key")

    def certify(self, names, days=2):
        """An ssl context for a server of these names (DNS:localhost,IP:127.0.0.1)."""
        base = f"{self.base}-{names.replace(':', '-').replace(',', '-').replace('*', 'x')}-{days}"
        _certify(base, "iam", f"subjectAltName={names}", days,
                 "-CA", self.file, "-CAkey", f"{self.base}.key", "-CAcreateserial")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{base}.pem", f"{base}.key")
        return context


class Server(http.server.ThreadingHTTPServer):
    """Handshakes in the threads of the connections, so that a bad one holds up nobody."""
    daemon_threads = True

    def __init__(self, address, handler, context):
        self.context = context
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def finish_request(self, request, client_address):
        if self.context:
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)
        request.close()

    def handle_error(self, request, client_address):
        pass


class Keycloak:
    """One server. context: of ssl, for https."""

    def __init__(self, folder, context=None, host="127.0.0.1", port=0):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """Answers as Keycloak does, unless told otherwise."""
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.requests.append((self.path, dict(self.headers)))
                if not (outer.behaviour and outer.behaviour(self)):
                    found = self.path == PATH
                    self.answer(200 if found else 404, {"keys": [*outer.keys, ENCRYPTION]} if found
                                else {"error": "Realm does not exist"})

            def answer(self, status, body, **headers):
                """A whole answer."""
                body = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.folder, self.scheme, self.host = str(folder), "https" if context else "http", host
        self.keys, self.requests, self.behaviour, self._made = [], [], None, 0
        self.server = Server((host, port), Handler, context)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05},
                         daemon=True).start()

    def url(self, host=None, path=PATH):
        """The address of the certs endpoint."""
        return f"{self.scheme}://{host or self.host}:{self.port}{path}"

    def new_key(self):
        """A private key in a file and its public half, which is not shown yet: (file, key)."""
        self._made += 1
        file = f"{self.folder}/realm-{self.port}-{self._made}.pem"
        return file, rsa_key(file)

    def stop(self):
        """Nothing listens any more."""
        self.server.shutdown()
        self.server.server_close()
