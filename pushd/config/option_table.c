/*
 * option_table: every option of vantage6-pushd, once, in groups. `make docs` writes the tables of
 * the documents from it.
 */
#include "config/option.h"

#include "config/option_check.h"

enum { MINUTE = 60, HOUR = 60 * MINUTE };
#define MS(s) ((uint64_t)((s)*1000))
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
#define AS_TEXT(constant) AS_TEXT_OF_VALUE(constant)
#define AS_TEXT_OF_VALUE(value) #value

/* OPTION(name and member of struct config, kind, value, default, min, max, words or check, help,
 * more): see struct option. */
#define OPTION(member, ...) NAMED_OPTION(member, #member, __VA_ARGS__)
#define NAMED_OPTION(member, name, kind, ...)                                                      \
    {                                                                                              \
        name, kind, offsetof(struct config, member), __VA_ARGS__                                   \
    }
#define TEXT(member, value, fallback, min, max, check, help, more)                                 \
    OPTION(member, OPTION_TEXT, value, fallback, min, max, {.wrong = check}, help, more)
#define DURATION(member, fallback, min, max, help, more)                                           \
    OPTION(member, OPTION_DURATION, "duration", fallback, MS(min), MS(max), {NULL}, help, more)
#define SIZE(member, fallback, min, max, help, more)                                               \
    OPTION(member, OPTION_SIZE, "size", fallback, min, max, {NULL}, help, more)
#define COUNT(member, fallback, min, max, help, more)                                              \
    OPTION(member, OPTION_COUNT, "number", fallback, min, max, {NULL}, help, more)

static const struct option NETWORK[] = {
    TEXT(listen, "address", "127.0.0.1:7602", 1, 64, wrong_address,
         "numeric address and port where clients connect",
         "For example `0.0.0.0:7602` or `[::]:7602`. There is no TLS: that is the proxy's task."),
    TEXT(admin_listen, "address", "127.0.0.1:7603", 1, 64, wrong_address,
         "numeric address and port of /livez, /readyz and /metrics",
         "No password is asked for: use an address that only operators and probes can reach."),
    TEXT(path, "path", "/socket.io/", 1, 128, wrong_path, "path that clients connect to",
         "The clients of vantage6 always use the default."),
    TEXT(cors_allowed_origins, "list", "*", 0, 4096, wrong_origins,
         "list of origins whose pages may connect from a browser; `*` = all",
         "For example `https://portal.example.org`. The answer repeats the origin, because "
         "browsers send a token only then."),
    TEXT(trusted_proxies, "list", "", 0, 4096, wrong_proxies,
         "list of proxies whose X-Forwarded-For header is trusted",
         "Give addresses and nets, for example `10.0.0.7 fd00:1::/64`. The address of a client is "
         "the rightmost one in the header that is none of them. The header of any other peer is "
         "ignored."),
    TEXT(cookie, "name", "", 0, 64, wrong_cookie,
         "name of a cookie with the session's id, for load balancers; empty = none",
         "Set it, for example to `io`, if a load balancer needs a cookie to send a polling client "
         "to the same instance again."),
};

static const struct option PROTOCOL[] = {
    TEXT(namespaces, "list", "/tasks", 1, 1024, wrong_namespaces,
         "list of namespaces that clients may connect to",
         "At most " AS_TEXT(CONFIG_NAMESPACES_MAX) ". No client receives events for others."),
    DURATION(ping_interval, "25s", 0.1, HOUR, "time between two pings to a client", ""),
    DURATION(ping_timeout, "60s", 0.1, HOUR, "how long a client may take to answer a ping",
             "After that, its session is closed."),
    DURATION(connect_timeout, "45s", 0.1, 10 * MINUTE,
             "how long a client may take from the handshake to its first namespace",
             "After that, its session is closed."),
    DURATION(claim_timeout, "30s", 0.1, 10 * MINUTE,
             "how long a reconnecting client waits for the database or the keys before it is "
             "connected without recovery",
             ""),
    DURATION(upgrade_timeout, "10s", 0.1, 10 * MINUTE,
             "how long an upgrade from polling to WebSocket may take",
             "After that, the session continues by polling."),
    DURATION(request_timeout, "10s", 1, 10 * MINUTE, "how long a request may take to arrive",
             "This holds for its head, and for its body, which gets one second more for each 10 kB "
             "that has arrived. A connection may wait as long for its next request, one of "
             "trusted_proxies 75 s, so that the proxy ends it and not pushd."),
    DURATION(ack_timeout, "10s", 0.1, HOUR,
             "how long a client may take to acknowledge an event that others wait behind",
             "After that, the others are sent, and no event waits for this client until it "
             "acknowledges again."),
};

static const struct option LIMITS[] = {
    COUNT(max_connections, "50000", 1, 1000000, "connections at the same time",
          "More are refused with status 503. The limit of open files is raised to match as far as "
          "the system allows; a limit that is too low is logged. Connections over that limit are "
          "refused with status 503 too."),
    COUNT(max_connections_per_address, "10000", 1, 1000000, "connections from one address",
          "More are refused with status 503. It may have as many connections again that serve no "
          "session: the one that is idle longest makes room, and if none is idle, the new one is "
          "refused. An IPv6 address counts by its /64, since one host can have all addresses of "
          "such a net."),
    COUNT(max_connections_per_principal, "1000", 1, 1000000,
          "connections of one user or node to this instance",
          "Beyond it the oldest one is closed. A connection to a second namespace counts again."),
    COUNT(max_polling, "20000", 1, 1000000, "connections without a WebSocket",
          "More are refused with status 503. Each may hold a request open."),
    COUNT(handshake_rate, "1000", 0, 1000000,
          "new connections a second from one address; 0 = any number",
          "More are refused with status 429 and told to retry after a second."),
    SIZE(max_payload, "1MB", 1000, 100000000, "largest message of a client, with its attachments",
         "A larger WebSocket message closes the session. A larger POST is refused with status "
         "413."),
    COUNT(max_attachments, "10", 0, 1000, "binary attachments of one event of a client",
          "More close the session."),
    COUNT(max_packets, "10000", 16, 1000000, "packets in one POST of a client",
          "More close the session. All packets of a POST are handled in one go, while other "
          "clients wait."),
    COUNT(max_depth, "64", 1, 1000, "depth of nested arrays and objects in the JSON of a client",
          "Deeper JSON closes the session."),
    COUNT(event_rate, "200", 0, 1000000, "events a second of one client; 0 = any number",
          "A faster client is not read from until it keeps the rate again. It loses nothing and "
          "stays connected."),
    SIZE(byte_rate, "2MB", 0, 1000000000, "bytes a second of one client; 0 = any number",
         "A faster client is not read from until it keeps the rate again. One message of "
         "`max_payload` must get through in 60 s."),
    SIZE(queue_bytes, "4MB", 10000, 1000000000, "bytes that may wait for one client",
         "A client over it is closed and reconnects, so that no event is left out silently. This "
         "limit must exceed the largest event."),
    SIZE(receive_bytes, "256MB", 1000000, 100000000000,
         "bytes kept of all clients of what has arrived in part or has to wait",
         "These are requests, messages, events whose attachments have not all arrived, and events "
         "of clients whose rights are still asked for. Above this, those over 4 kB are refused, "
         "with status 503 or WebSocket's code 1013."),
    SIZE(
        stranger_bytes, "16384", 1000, 100000000,
        "bytes kept of what one client sent, or is to be sent, before its token was found good",
        "These are a message or a POST that has arrived in part, events whose attachments have not "
        "all arrived, and events that wait for the key of the token. As many bytes may wait to be "
        "sent to it. Above this, a POST is refused with status 503, and a session is closed with "
        "WebSocket's code 1013; it may try again."),
    SIZE(inbox_bytes, "65536", 1000, 100000000,
         "bytes of one client that may wait for the database",
         "A client over it is not read from until there is room."),
    COUNT(max_gauges, "20000", 0, 1000000, "gauges of clients in /metrics; 0 = none",
          "Each series is one. Those beyond are counted and not shown."),
    COUNT(client_log_rate, "10", 0, 10000, "log lines a second that clients cause; 0 = none",
          "It holds three times: for lines about events without effect and about what clients say "
          "to the operators, for lines about tokens and clients that are refused, and for lines "
          "about clients that connect. The log says how many lines were left out."),
};

static const struct option TOKENS[] = {
    TEXT(algorithms, "list", CONFIG_ALGORITHMS, 1, 64, wrong_algorithms,
         "list of signature algorithms that are accepted",
         "HS256 counts only with `jwt_secret_file`, the others only with public keys."),
    TEXT(issuer, "text", "", 0, 1024, NULL, "value that a token must have as `iss`; empty = any",
         ""),
    TEXT(audience, "list", "", 0, 4096, NULL,
         "list of values, of which a token must have one in `aud` or as `azp`; empty = any", ""),
    TEXT(client_types, "list", "node=30s user=10min", 1, 1024, wrong_client_types,
         "list of client types that are accepted, and how long each stays connected once its token "
         "was found expired",
         "A token of another type is refused."),
    TEXT(client_type_claims, "list", "vantage6_client_type client_type", 1, 1024, wrong_claims,
         "list of claims that may hold the client type",
         "The first one in the token counts. A token with none of them is accepted."),
    TEXT(expired_event, "event", "expired_token", 1, 128, wrong_event,
         "event for a client whose token has expired", ""),
    TEXT(invalid_event, "event", "invalid_token", 1, 128, wrong_event,
         "event for a client whose token has a bad signature or an unknown key", ""),
    DURATION(leeway, "10s", 0, 5 * MINUTE,
             "how far the clocks of the token issuer and of this machine may differ", ""),
    DURATION(refused_grace, "30s", 0, HOUR,
             "how long a client without a good token stays connected", ""),
    OPTION(token_expiry, OPTION_CHOICE, "word", "keep", 0, 0, {"keep close"},
           "what happens to a connection whose token expires",
           "With `close` it is closed `leeway` later, and the client may reconnect."),
};

static const struct option KEYS[] = {
    TEXT(
        keycloak_url, "url", "", 0, 1024, wrong_base_url,
        "Keycloak whose realm has the key set; empty = `KEYCLOAK_URL`",
        "For example `https://iam.example.org`. That variable of the environment counts only if no "
        "other source of keys is given."),
    TEXT(keycloak_realm, "name", "", 0, 256, wrong_realm,
         "realm of that Keycloak; empty = `KEYCLOAK_REALM`",
         "That variable of the environment counts only if no other source of keys is given."),
    TEXT(jwks_url, "url", "", 0, 2048, wrong_url,
         "address (http or https) of a key set (JWKS, RFC 7517)", "Redirects are not followed."),
    TEXT(jwks_file, "file", "", 0, 4096, NULL, "file with a key set (JWKS, RFC 7517)",
         "It has public keys for RS256 (2048 bits or more), ES256 and EdDSA (Ed25519). It may "
         "change at any time; a bad one changes nothing."),
    TEXT(jwks_ca_file, "file", "", 0, 4096, NULL,
         "certificates (PEM) of the CAs that may sign the key server's certificate; empty = the "
         "system's",
         "If your own CA signed Keycloak's certificate, set `jwks_ca_file`."),
    TEXT(jwt_secret_file, "file", "", 0, 4096, NULL, "file with the secret of HS256",
         "It must have at least 16 bytes; 32 are better. Line ends after the secret do not count."),
    DURATION(keys_interval, "5s", 0.1, HOUR, "time between two looks at the key file",
             "SIGHUP makes the next look immediate. So does a token with an unknown key, at most "
             "once a second."),
    DURATION(keys_max_age, "5min", 1, 24 * HOUR, "time between two fetches of the key set",
             "SIGHUP makes the next fetch immediate. So does a token with an unknown key."),
    DURATION(keys_refresh_interval, "10s", 0.1, HOUR,
             "shortest time between two fetches because of unknown keys",
             "It is also the longest time between two attempts after a failure."),
    DURATION(keys_timeout, "10s", 0.1, MINUTE, "how long a fetch of the key set may take",
             "This is the time from the lookup of the name to the last byte."),
    SIZE(keys_bytes, "1MB", 1000, 16000000, "largest key set",
         "This holds for the file, and for an answer with its head."),
};

static const struct option DATABASE[] = {
    TEXT(conninfo, "text", "", 0, 4096, NULL,
         "connection string or URI of libpq; empty = `PGHOST`, `PGSERVICE` and so on",
         "These variables of the environment also give what it leaves out. Prefer a password file "
         "(`PGPASSFILE`) to a password here."),
    TEXT(instance, "name", "", 0, 128, wrong_name,
         "name of this process; empty = host name and port of `listen`",
         "No two processes of one database may have the same."),
    DURATION(read_interval, "5s", 0.1, HOUR, "longest time between two reads of the event log",
             "A notification normally starts a read immediately."),
    DURATION(
        audit_interval, "5min", 0, 24 * HOUR,
        "time between two comparisons of all rooms with the database; 0 = never",
        "Rooms follow the database immediately without it. The comparison finds what the event "
        "log did not say, for example while a trigger was disabled."),
    DURATION(beat_interval, "5s", 0.1, 15, "time between two signs of life to the database", ""),
    DURATION(retry_max, "10s", 0.1, 5 * MINUTE,
             "longest wait between two attempts to reach the database",
             "Clients stay connected meanwhile."),
    DURATION(answer_timeout, "1min", 1, HOUR,
             "how long the database may take to answer a statement",
             "After that, the connection is made again. Behind a proxy, TCP would not tell that "
             "the database is gone."),
    COUNT(read_rows, "1000", 1, 100000, "events in one read of the event log", ""),
};

static const struct option LIFE[] = {
    DURATION(drain_time, "10s", 0, 10 * MINUTE,
             "longest time over which clients are closed at SIGTERM",
             "Then they do not all reconnect at once. At least 1000 a second are closed."),
    OPTION(log_level, OPTION_CHOICE, "word", "info", 0, 0, {"error warning info debug"},
           "least level that is logged, to standard error", ""),
    NAMED_OPTION(log_json, "log_format", OPTION_SWITCH, "word", "text", 0, 0, {"text json"},
                 "form of the log",
                 "`json` is one object a line with `time`, `level` and `message`."),
};

static const struct option_group GROUPS[] = {
    {"Network", "", NETWORK, COUNT_OF(NETWORK)},
    {"Protocol", "", PROTOCOL, COUNT_OF(PROTOCOL)},
    {"Limits", "", LIMITS, COUNT_OF(LIMITS)},
    {"Tokens", "", TOKENS, COUNT_OF(TOKENS)},
    {"Keys",
     "Give exactly one of `keycloak_url` (with `keycloak_realm`), `jwks_url`, `jwks_file` and "
     "`jwt_secret_file`.",
     KEYS, COUNT_OF(KEYS)},
    {"Database", "", DATABASE, COUNT_OF(DATABASE)},
    {"Life", "", LIFE, COUNT_OF(LIFE)},
};

const struct option_group *option_group_at(size_t i)
{
    return i < COUNT_OF(GROUPS) ? &GROUPS[i] : NULL;
}

const struct option *option_at(size_t i)
{
    for (size_t g = 0; g < COUNT_OF(GROUPS); i -= GROUPS[g++].count)
        if (i < GROUPS[g].count)
            return &GROUPS[g].options[i];
    return NULL;
}
