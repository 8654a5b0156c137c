// What a test does with socket.io-client, in Node and on a page alike.
//
// drive(io, options, say) connects. say() is called with what happens, and the function returned takes orders; both are
// arrays, as JSON has them.
//
//   options  {url, namespaces, io: options of socket.io-client}; one connection for all namespaces
//   happens  [connect, namespace, sid of the connection, transport, was it recovered?, sid]  [disconnect, namespace, reason]
//            [error, namespace, message]  [open]: CONNECT is sent  [upgrade, transport]
//            [event, namespace, name, argument...]  [ack, number, argument...]
//            An offset, which comes as one more argument where connections are recovered, is left out.
//   orders   [emit, namespace, number of the ack wanted or null, name, argument...]  [leave, namespace]
//            [cut]: the network fails   [go, url]: and it comes back there
//            [interrupt, n]: it fails again once n events have come on the next connection, before CONNECT is answered
//
// Bytes are {"bytes": base64}. An event that wants an ack gets its own arguments back.
"use strict";

function drive(io, options, say) {
    const isBytes = (value) => value instanceof ArrayBuffer || ArrayBuffer.isView(value);
    const view = (bytes) =>
        bytes instanceof ArrayBuffer ? new Uint8Array(bytes) : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const encode = (bytes) => btoa(Array.from(view(bytes), (byte) => String.fromCharCode(byte)).join(""));
    const decode = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const each = (value, change) =>
        Array.isArray(value)
            ? value.map(change)
            : Object.fromEntries(Object.entries(value).map(([key, item]) => [key, change(item)]));

    function pack(value) {
        if (isBytes(value)) return { bytes: encode(value) };
        return value && typeof value === "object" ? each(value, pack) : value;
    }

    function unpack(value) {
        if (value && typeof value.bytes === "string") return decode(value.bytes);
        return value && typeof value === "object" ? each(value, unpack) : value;
    }

    const sockets = {};
    const tell = (...what) => say(pack(what));

    function connect(namespace) {
        const socket = io(options.url + namespace, options.io);
        const engine = () => socket.io.engine;
        let connected = false;
        socket.on("connect", () => {
            connected = true;
            tell("connect", namespace, engine().id, engine().transport.name, Boolean(socket.recovered), socket.id);
        });
        // It says so too when the connection ends while CONNECT is not answered yet.
        socket.on("disconnect", (reason) => {
            if (connected) tell("disconnect", namespace, reason);
            connected = false;
        });
        socket.on("connect_error", (error) => tell("error", namespace, error.message));
        socket.onAny((name, ...args) => {
            const answer = typeof args.at(-1) === "function" ? args.pop() : null;
            if (socket._pid && /^-$|^[\d:,/]+\/[0-9a-f]{32}$/.test(args.at(-1))) args.pop();
            tell("event", namespace, name, ...args);
            if (answer) answer(...args);
        });
        sockets[namespace] = socket;
        return socket;
    }

    options.namespaces.forEach(connect);
    const manager = sockets[options.namespaces[0]].io;
    manager.on("open", () => {
        tell("open");
        manager.engine.on("upgrade", (transport) => tell("upgrade", transport.name));
    });

    // An engine that is closed while it opens leaves its manager waiting for ever; one that opens is away already.
    const cut = () => manager._readyState === "open" && manager.engine.close();

    const orders = {
        emit(namespace, number, name, ...args) {
            const ack = number === null ? [] : [(...answer) => tell("ack", number, ...answer)];
            sockets[namespace].emit(name, ...args, ...ack);
        },
        leave: (namespace) => sockets[namespace].disconnect(),
        cut,
        go(url) {
            manager.uri = url;
            cut();
        },
        interrupt(events) {
            const count = (packet) => {
                if (packet.type === 2 && --events === 0) cut();
            };
            manager.once("open", () => manager.on("packet", count));
        },
    };
    return ([order, ...rest]) => orders[order](...unpack(rest));
}

if (typeof module !== "undefined") module.exports = drive;
