"""socket.io-client in headless Chromium, on a page of another origin, as the UI is."""
import http.server
import json
import os
import shutil
import subprocess
import tempfile
import threading

from clients import Client
from facts import wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
BUNDLE = f"{HERE}/../js/node_modules/socket.io-client/dist/socket.io.min.js"
PAGE = """<!doctype html><script src="/socket.io.min.js"></script><script>
const say = (...what) => fetch("/said", {method: "POST", body: JSON.stringify(what)});
const socket = io(%(url)s + "/tasks", {withCredentials: true, transports: %(transports)s,
                                       extraHeaders: {Authorization: "Bearer " + %(token)s}});
socket.on("connect", () => say("connect"));
socket.on("disconnect", (reason) => say("disconnect", reason));
socket.on("connect_error", (error) => say("error", error.message));
socket.onAny((...event) => say("event", ...event));
</script>"""
# Without these Chromium looks for Google's hosts, and as root it needs --no-sandbox.
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"]


class Chromium(Client):
    """A page with the UI's options."""

    def __init__(self, world, ident, token=None, transports=("polling", "websocket")):
        super().__init__(world, ident)
        self.errors = []
        page = PAGE % {"url": json.dumps(world.url()), "transports": json.dumps(transports),
                       "token": json.dumps(token or world.token(ident))}
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler(page))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.profile = tempfile.mkdtemp(prefix="vantage6-chromium.", dir="/tmp")
        self.process = subprocess.Popen(
            ["chromium", *FLAGS, f"--user-data-dir={self.profile}", f"http://localhost:{self.server.server_port}/"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_connected()

    def wait_connected(self):
        wait_for(lambda: self.connects > self.disconnects, f"{self} to connect, errors {self.errors}", deadline=60)
        return self

    def _handler(self, page):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """Serves the page and its script; takes what the page says."""

            def do_GET(self):
                if self.path == "/":
                    self._answer(page.encode(), "text/html")
                elif self.path == "/socket.io.min.js":
                    with open(BUNDLE, "rb") as file:
                        self._answer(file.read(), "text/javascript")
                else:
                    self.send_error(404)

            def do_POST(self):
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._answer(b"", "text/plain")
                outer.take(said)

            def _answer(self, body, kind):
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass
        return Handler

    def take(self, said):
        """One thing that the page says."""
        if said[0] == "connect":
            self.connects += 1
        elif said[0] == "disconnect":
            self.disconnects += 1
        elif said[0] == "error":
            self.errors.append(said[1])
        elif said[0] == "event":
            self.events.append(said[1:])

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.server.shutdown()
        self.server.server_close()
        shutil.rmtree(self.profile, ignore_errors=True)
