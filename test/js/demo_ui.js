// The user interface as vantage6's is: socket.io-client with the token in a header.
//
//   TOKEN=... node demo_ui.js URL
//
// Prints what it receives, one JSON array [event, argument...] a line, until standard input ends.
const { io } = require("socket.io-client");

const say = (...line) => console.log(JSON.stringify(line));

const socket = io(`${process.argv[2]}/tasks`, {
  withCredentials: true,
  extraHeaders: { Authorization: `Bearer ${process.env.TOKEN}` },
});
socket.on("connect", () => say("connect"));
socket.on("connect_error", (error) => say("connect_error", error.message));
socket.on("disconnect", (reason) => say("disconnect", reason));
socket.onAny((event, ...args) => say(event, ...args));

process.stdin.on("end", () => {
  socket.disconnect();
  process.exit(0);
});
process.stdin.resume();
