/*
 * option_table: every option of vantage6-pushd, once. One line an option: test/doc-check reads
 * them.
 */
#include "config/option.h"

#include "config/option_check.h"

#define MS(s) ((uint64_t)((s)*1000))
#define MINUTE 60
#define HOUR 3600

#define AT(member) offsetof(struct config, member)
#define TEXT(member, fallback, min, max, wrong_text, help)                                         \
    {                                                                                              \
#member, OPTION_TEXT, AT(member), fallback, min, max, {.wrong = wrong_text }, help         \
    }
#define DURATION(member, fallback, min, max, help)                                                 \
    {                                                                                              \
#member, OPTION_DURATION, AT(member), fallback, MS(min), MS(max), {NULL }, help            \
    }
#define SIZE(member, fallback, min, max, help)                                                     \
    {                                                                                              \
#member, OPTION_SIZE, AT(member), fallback, min, max, {NULL }, help                        \
    }
#define COUNT(member, fallback, min, max, help)                                                    \
    {                                                                                              \
#member, OPTION_COUNT, AT(member), fallback, min, max, {NULL }, help                       \
    }

/* clang-format off */
static const struct option OPTIONS[] = {
    TEXT(listen, "127.0.0.1:7602", 1, 64, wrong_address, "address and port of Socket.IO"),
    TEXT(admin_listen, "127.0.0.1:7603", 1, 64, wrong_address, "address and port of /livez, /readyz and /metrics"),
    TEXT(path, "/socket.io/", 1, 128, wrong_path, "path that clients connect to"),
    TEXT(cors_allowed_origins, "*", 0, 4096, wrong_origins, "origins of browsers that may connect: * or a list"),
    COUNT(max_connections, "50000", 1, 1000000, "connections at the same time"),
    COUNT(max_connections_per_address, "10000", 1, 1000000, "of them, from one address"),
    COUNT(max_polling, "20000", 1, 1000000, "of them, without a WebSocket"),
    COUNT(handshake_rate, "1000", 0, 1000000, "new connections a second from one address; 0: any"),
    TEXT(trusted_proxies, "", 0, 4096, wrong_proxies, "addresses and nets whose X-Forwarded-For counts, a list"),
    TEXT(cookie, "", 0, 64, wrong_cookie, "name of a cookie for proxies that must find a client's pushd again; empty: none"),
    TEXT(namespaces, "/tasks", 1, 1024, wrong_namespaces, "namespaces that clients may connect to"),
    DURATION(ping_interval, "25s", 0.1, HOUR, "time between pings to a client"),
    DURATION(ping_timeout, "60s", 0.1, HOUR, "time that a client has to answer a ping"),
    DURATION(connect_timeout, "45s", 0.1, 10 * MINUTE, "time from the handshake to the first namespace"),
    DURATION(claim_timeout, "30s", 0.1, 10 * MINUTE, "time that a client that comes back waits for the database, or a key, before it is connected without what it missed"),
    DURATION(upgrade_timeout, "10s", 0.1, 10 * MINUTE, "time that an upgrade to WebSocket may take"),
    DURATION(request_timeout, "10s", 1, 10 * MINUTE, "time that a request may take to arrive, and one second more for each 10 kB"),
    SIZE(max_payload, "1MB", 1000, 100000000, "largest message of a client"),
    COUNT(max_attachments, "10", 0, 1000, "binary attachments of one event of a client"),
    COUNT(max_packets, "10000", 16, 1000000, "packets in one POST of a client"),
    COUNT(max_depth, "64", 1, 1000, "nesting of the JSON of a client"),
    COUNT(event_rate, "200", 0, 1000000, "events a second of one client; past it, reading waits; 0: any"),
    SIZE(byte_rate, "2MB", 0, 1000000000, "bytes a second of one client; past it, reading waits; 0: any"),
    SIZE(queue_bytes, "4MB", 10000, 1000000000, "bytes waiting for one client; a client past it is closed"),
    SIZE(receive_bytes, "256MB", 1000000, 100000000000, "bytes of requests and messages of all clients that have come in part; past it, large ones are refused"),
    SIZE(inbox_bytes, "65536", 1000, 100000000, "bytes of one client not yet taken by the database; past it, reading waits"),
    DURATION(ack_timeout, "10s", 0.1, HOUR, "time that a client may take to acknowledge an event before others follow"),
    COUNT(max_gauges, "20000", 0, 1000000, "gauges of clients in /metrics; 0: none"),
    COUNT(client_log_rate, "10", 0, 10000, "lines a second of the log about what clients sent; 0: none"),
    TEXT(jwks_file, "", 0, 4096, NULL, "JSON Web Key Set that tokens are verified with"),
    TEXT(jwks_url, "", 0, 2048, wrong_url, "where that is fetched from, instead of a file"),
    TEXT(keycloak_url, "", 0, 1024, wrong_base_url, "Keycloak whose realm has the key set; empty: KEYCLOAK_URL"),
    TEXT(keycloak_realm, "", 0, 256, wrong_realm, "that realm; empty: KEYCLOAK_REALM"),
    TEXT(jwks_ca_file, "", 0, 4096, NULL, "CAs (PEM) of the server that has the key set; empty: the system's"),
    TEXT(jwt_secret_file, "", 0, 4096, NULL, "file of the secret that tokens are verified with (HS256)"),
    TEXT(algorithms, "RS256 ES256 EdDSA HS256", 1, 64, wrong_algorithms, "signatures accepted; HS256 with a secret only"),
    TEXT(issuer, "", 0, 1024, NULL, "iss that a token must have; empty: any"),
    TEXT(audience, "", 0, 4096, NULL, "aud or azp that a token must have, a list; empty: any"),
    TEXT(client_types, "node=30s user=10min", 1, 1024, wrong_client_types, "client types accepted, and how long each stays once its token has expired"),
    TEXT(client_type_claims, "vantage6_client_type client_type", 1, 1024, wrong_claims, "claims that may hold the client type; the first one present counts"),
    TEXT(expired_event, "expired_token", 1, 128, wrong_event, "event sent to a client whose token has expired"),
    TEXT(invalid_event, "invalid_token", 1, 128, wrong_event, "event sent to a client whose token has a bad signature"),
    DURATION(leeway, "10s", 0, 5 * MINUTE, "difference of clocks that is forgiven in a token"),
    DURATION(refused_grace, "30s", 0, HOUR, "time until a client without a good token is closed"),
    {"token_expiry", OPTION_CHOICE, AT(token_expiry), "keep", 0, 0, {"keep close"}, "what becomes of a connection whose token expires"},
    DURATION(keys_interval, "5s", 0.1, HOUR, "time between looks at the key file"),
    DURATION(keys_max_age, "5min", 1, 24 * HOUR, "time between fetches of the key set"),
    DURATION(keys_refresh_interval, "10s", 0.1, HOUR, "least time between fetches because of unknown keys"),
    DURATION(keys_timeout, "10s", 0.1, MINUTE, "time that a fetch of the key set may take"),
    SIZE(keys_bytes, "1MB", 1000, 16000000, "largest key set"),
    TEXT(conninfo, "", 0, 4096, NULL, "connection string of PostgreSQL; empty: PGHOST, PGSERVICE and so on"),
    TEXT(instance, "", 0, 128, wrong_name, "name of this process, one among all; empty: host name and port"),
    DURATION(read_interval, "5s", 0.1, HOUR, "longest time between reads of the event log"),
    DURATION(audit_interval, "5min", 0, 24 * HOUR, "time between comparisons of all rooms with the database; 0: none"),
    DURATION(beat_interval, "5s", 0.1, 15, "time between signs of life to the database"),
    DURATION(retry_max, "10s", 0.1, 5 * MINUTE, "longest wait between attempts to reach the database"),
    DURATION(answer_timeout, "1min", 1, HOUR, "longest wait for an answer of the database"),
    COUNT(read_rows, "1000", 1, 100000, "events read at once"),
    DURATION(drain_time, "10s", 0, 10 * MINUTE, "longest time over which clients are closed at SIGTERM"),
    {"log_level", OPTION_CHOICE, AT(log_level), "info", 0, 0, {"error warning info debug"}, "least level that is logged"},
    {"log_format", OPTION_SWITCH, AT(log_json), "text", 0, 0, {"text json"}, "text or json"},
};
/* clang-format on */

const struct option *option_at(size_t i)
{
    return i < sizeof OPTIONS / sizeof *OPTIONS ? &OPTIONS[i] : NULL;
}
