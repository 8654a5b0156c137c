"""HTTP/1.1 and WebSocket (RFC 6455) byte for byte: a test can also send what no client would.

wire.py      requests, answers, frames and messages as bytes, without a socket
blocking.py  a connection on a plain socket
streams.py   a connection on asyncio, for many at once
"""
