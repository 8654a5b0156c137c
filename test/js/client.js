// socket.io-client in Node, driven by a test: what happens goes to standard output as lines of JSON, orders come by
// standard input; see driver.js.
//
//   node client.js OPTIONS
"use strict";
const { io } = require("socket.io-client");
const drive = require("./driver.js");

const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");
const order = drive(io, JSON.parse(process.argv[2]), say);
require("readline")
    .createInterface({ input: process.stdin })
    .on("line", (line) => order(JSON.parse(line)))
    .on("close", () => process.exit(0));
