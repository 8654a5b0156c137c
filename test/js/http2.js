// Requests over HTTP/2 without TLS, for a test: each line of standard input is a request, its answer a line of standard
// output. Requests of one source share a connection.
//
//   node http2.js PORT
//
//   request  {source: address it comes from, method, path, headers: {name: value or values}, body: text or null}
//   answer   {status: 0 if the stream or the connection ended without one, body}
"use strict";
const http2 = require("http2");
const net = require("net");

const port = Number(process.argv[2]);
const connections = {};

function connection(source) {
    if (!connections[source] || connections[source].closed) {
        const socket = () => net.connect({ host: "127.0.0.1", port, localAddress: source });
        connections[source] = http2.connect(`http://127.0.0.1:${port}`, { createConnection: socket });
        connections[source].on("error", () => {});
    }
    return connections[source];
}

function ask({ source, method, path, headers, body }) {
    const length = body === null ? {} : { "content-length": Buffer.byteLength(body) };
    return new Promise((done) => {
        const stream = connection(source).request({ ":method": method, ":path": path, ...length, ...headers });
        const answer = { status: 0, body: "" };
        stream.setEncoding("utf8");
        stream.on("response", (said) => (answer.status = said[":status"]));
        stream.on("data", (text) => (answer.body += text));
        stream.on("error", () => {});
        stream.on("close", () => done(answer));
        stream.end(body ?? undefined);
    });
}

let last = Promise.resolve();
require("readline")
    .createInterface({ input: process.stdin })
    .on("line", (line) => {
        last = last.then(() => ask(JSON.parse(line))).then((answer) => console.log(JSON.stringify(answer)));
    })
    .on("close", () => last.then(() => process.exit(0)));
