// socket.io-client as the UI uses it; writes what happens as lines of JSON.
// usage: node client.js URL TOKEN [TRANSPORTS]
"use strict";
const { io } = require("socket.io-client");
const [url, token, transports] = process.argv.slice(2);
const say = (...what) => process.stdout.write(JSON.stringify(what) + "\n");

const socket = io(url + "/tasks", {
    withCredentials: true,
    extraHeaders: { Authorization: "Bearer " + token },
    transports: (transports || "polling,websocket").split(","),
});
socket.on("connect", () => say("connect", socket.io.engine.transport.name));
socket.on("disconnect", (reason) => say("disconnect", reason));
socket.on("connect_error", (error) => say("error", error.message));
socket.io.on("open", () => socket.io.engine.on("upgrade", (transport) => say("upgrade", transport.name)));
socket.onAny((...event) => say("event", ...event));
