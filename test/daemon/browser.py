"""socket.io-client in headless Chromium, on a page of another origin, as the UI is."""
import http.server
import json
import os
import queue
import re
import shutil
import subprocess
import tempfile
import threading

from clients import Driven

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = {"/socket.io.min.js": f"{HERE}/../js/node_modules/socket.io-client/dist/socket.io.min.js",
         "/driver.js": f"{HERE}/../js/driver.js"}
PAGE = """<!doctype html>
<script src="/socket.io.min.js"></script><script src="/driver.js"></script><script>
let said = Promise.resolve();
const post = (what) => fetch("/said", {method: "POST", body: JSON.stringify(what)});
const say = (what) => said = said.then(() => post(what));
const order = drive(io, %s, say);
(async () => { for (;;) for (const one of await (await fetch("/orders")).json()) order(one); })();
</script>"""
ORDERS_WAIT = 10  # seconds that a request for orders is held
# Without these Chromium looks for Google's hosts, as root it needs --no-sandbox, and a proxy's
# certificate is of the test's own making.
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-sync", "--disable-background-networking", "--disable-component-update",
         "--disable-dev-shm-usage", "--ignore-certificate-errors"]


def without_place(client, event):
    """Only a browser's events end in their place in the log, by which it recovers: nobody else is
    given one more argument."""
    if not isinstance(client, Chromium):
        return event
    assert re.fullmatch(r"[0-9:,/]+/[0-9a-f]{32}", event[-1]), event
    return event[:-1]


class Chromium(Driven):
    """A page with the UI's options."""

    def __init__(self, world, ident, transports=("polling", "websocket"), **kwargs):
        super().__init__(world, ident, transports=transports, headers="polling" in transports,
                         **kwargs)
        self.orders = queue.Queue()
        for one in self.early:
            self.order(*one)
        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), self._handler(PAGE % json.dumps(self.options)))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.profile = tempfile.mkdtemp(prefix="vantage6-chromium.", dir="/tmp")
        self.process = subprocess.Popen(
            ["chromium", *FLAGS, f"--user-data-dir={self.profile}",
             f"http://localhost:{self.server.server_port}/"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_connected()

    def order(self, *what):
        self.orders.put(what)

    def _next_orders(self):
        try:
            orders = [self.orders.get(timeout=ORDERS_WAIT)]
            while not self.orders.empty():
                orders.append(self.orders.get_nowait())
            return orders
        except queue.Empty:
            return []

    def _handler(self, page):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """Serves the page and its scripts; gives it orders, and takes what it says."""

            def do_GET(self):
                if self.path == "/":
                    self._answer(page.encode(), "text/html")
                elif self.path == "/orders":
                    self._answer(json.dumps(outer._next_orders()).encode(), "application/json")
                elif self.path in FILES:
                    with open(FILES[self.path], "rb") as file:
                        self._answer(file.read(), "text/javascript")
                else:
                    self.send_error(404)

            def do_POST(self):
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                # Before the answer: the page waits for it, so that the order is kept.
                outer.line(said)
                self._answer(b"", "text/plain")

            def _answer(self, body, kind):
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass
        return Handler

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.server.shutdown()
        self.server.server_close()
        shutil.rmtree(self.profile, ignore_errors=True)
