"""nginx and HAProxy before vantage6-pushd, as the documents configure them.

Each is a process of its own, with a private configuration and free ports. It keeps connections to
what is behind it and sends the requests of all clients over them in turn.
"""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess

from lablib.facts import wait_for
from lablib.lab import TOP
from lablib.process import Daemon, free_ports

PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"
NGINX = """
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
{user}
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {map}
    upstream pushd {{ server 127.0.0.1:{behind}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{http};
        {location}
    }}
    server {{
        listen 127.0.0.1:{hq};
        {hq_location}
    }}
}}
"""
HAPROXY = """
global
    nbthread 1
    maxconn 1000
    log stdout format raw local0
defaults
    mode http
    log global
    log-format "%HM %HV %ST"
    timeout connect 5s
    timeout client 1m
    timeout server 1m
    {forwarded}
    http-reuse always
    default_backend pushd
frontend http
    bind 127.0.0.1:{http}
frontend http2
    bind 127.0.0.1:{http2} proto h2
frontend https
    bind 127.0.0.1:{https} ssl crt {folder}/https.pem alpn h2,http/1.1
{backend}
"""


def documented(file, pattern):
    """A piece of configuration that a document shows."""
    with open(f"{TOP}/doc/{file}", encoding="utf-8") as text:
        found = re.search(pattern, text.read(), re.MULTILINE | re.DOTALL)
    assert found, f"expected {pattern} in doc/{file}, found none"
    return found.group(1)


class Behind:
    """A world whose clients connect to a proxy before it."""

    def __init__(self, world, url):
        self.world, self._url = world, url
        host, port = url.rpartition("//")[2].split(":")
        self.address = host, int(port)

    def url(self, instance=0):
        """Where clients connect."""
        assert instance == 0
        return self._url

    def __getattr__(self, name):
        return getattr(self.world, name)


class Proxy:
    """A proxy before the port called behind."""

    name, ports, program = None, (), ()

    def __init__(self, world, folder, behind):
        self.world, self.folder = world, str(folder)
        first = free_ports(len(self.ports))
        self.port = {name: first + number for number, name in enumerate(self.ports)}
        config = f"{folder}/{self.name}.conf"
        with open(config, "w", encoding="utf-8") as file:
            file.write(self.configuration(behind))
        self.daemon = Daemon(f"{folder}/{self.name}")
        self.daemon.start([shutil.which(self.name, path=PATH) or self.name,
                           *(word.format(config=config) for word in self.program)],
                          dict(os.environ))
        for port in self.port.values():
            wait_for(lambda: listens(port), f"{self.name}, which says: "  # noqa: B023
                     f"{self.daemon.tail()}")

    def configuration(self, behind):
        """The text of its configuration file."""
        raise NotImplementedError

    def before(self, name="http"):
        """The world, as it looks to a client of this port."""
        scheme = "https" if name == "https" else "http"
        return Behind(self.world, f"{scheme}://127.0.0.1:{self.port[name]}")

    def log(self):
        """What it has said."""
        with open(f"{self.daemon.base}.log", encoding="utf-8", errors="replace") as file:
            return file.read()

    def end(self):
        """End it with all its connections."""
        self.daemon.end([signal.SIGTERM, signal.SIGKILL], 10)


class Nginx(Proxy):
    """http: as doc/install.md says. hq: as in vantage6's documentation, which doc/migration.md
    changes in one line."""

    name, ports = "nginx", ("http", "hq")
    program = "-c", "{config}", "-e", "stderr", "-g", "daemon off;"

    def configuration(self, behind):
        location = documented("install.md", r"^    (location /socket.io/ \{.*?\n    \})")
        hq = documented("migration.md", r"^    (location /socket.io \{.*?\n    \})")
        return NGINX.format(
            folder=self.folder, behind=behind, user="user root;" if os.geteuid() == 0 else "",
            map=documented("install.md", r"^    (map .*?\n    \})"),
            location=location.replace("http://127.0.0.1:7602", "http://pushd"),
            hq_location=hq.replace("http://127.0.0.1:7602", "http://pushd").replace(
                "include proxy_params", "include /etc/nginx/proxy_params"), **self.port)


class HAProxy(Proxy):
    """The backend of doc/operate.md. http2: without TLS."""

    name, ports = "haproxy", ("http", "http2", "https")
    program = "-db", "-f", "{config}"

    def configuration(self, behind):
        backend = documented("operate.md", r"^    (backend pushd\n.*?server a .*?)\n")
        self._certificate()
        return HAPROXY.format(
            folder=self.folder, forwarded=documented("configuration.md", r"^    (option .*?)\n"),
            backend=backend.replace("10.0.0.11:7602", f"127.0.0.1:{behind}"), **self.port)

    def _certificate(self):
        base = f"{self.folder}/https"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=127.0.0.1", "-keyout", f"{base}.key", "-out", f"{base}.crt"],
                       check=True, capture_output=True)
        with open(f"{base}.pem", "w", encoding="ascii") as pem:
            for part in ("crt", "key"):
                with open(f"{base}.{part}", encoding="ascii") as file:
                    pem.write(file.read())


# Each by its name, and which is behind it: None is pushd.
TREE = {"nginx": (Nginx, None), "haproxy": (HAProxy, None), "nginx_haproxy": (Nginx, "haproxy"),
        "haproxy_nginx": (HAProxy, "nginx")}


@contextlib.contextmanager
def running(world):
    """{name: proxy} of the tree."""
    made = {}
    try:
        for name, (kind, behind) in TREE.items():
            folder = f"{os.path.dirname(world.lab.dir)}/{name}"
            os.mkdir(folder)  # the proxy's own user may read it
            made[name] = kind(world, folder, made[behind].port["http"] if behind else
                              world.address[1])
        yield made
    finally:
        for proxy in made.values():
            proxy.end()


def listens(port):
    """Does anybody, on this port?"""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def connections_to(port):
    """The peers' ports of all TCP connections to this port, those that have just ended too."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        rows = [row.split()[1:4] for row in list(file)[1:]]
    return {int(remote.partition(":")[2], 16) for local, remote, state in rows
            if int(local.partition(":")[2], 16) == port and state != "0A"}
