/*
 * config: every option of vantage6-pushd, from one table.
 *
 * A value comes from, in falling precedence: a flag (--ping-interval 25s), the environment
 * (VANTAGE6_PUSHD_PING_INTERVAL), a file without sections (ping_interval = 25s), the default.
 * Durations take ms, s, min or h and mean seconds without a unit; sizes take B, kB, MB and mean
 * bytes without one. Unknown names are errors, with the nearest known name in the message.
 */
#ifndef PUSHD_CONFIG_H
#define PUSHD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { CONFIG_NAMESPACES_MAX = 32 };
/* Of signatures. */
#define CONFIG_ALGORITHMS "RS256 ES256 EdDSA HS256"

/* What becomes of a connection whose token expires; in the order of the option's words. */
enum token_expiry { TOKEN_EXPIRY_KEEP, TOKEN_EXPIRY_CLOSE };

struct config {
    /* network */
    char *listen;               /* host:port of Socket.IO */
    char *admin_listen;         /* host:port of the admin port */
    char *path;                 /* "/socket.io/" */
    char *cors_allowed_origins; /* "*" or a list separated by blanks or commas */
    int max_connections;
    int max_connections_per_address;
    int max_polling;       /* sessions that poll: each may hold a request */
    int handshake_rate;    /* per second and address, 0 = any */
    char *trusted_proxies; /* list of addresses and nets whose X-Forwarded-For counts */
    char *cookie;          /* name of a cookie with the sid, "" = none */
    /* protocol */
    char *namespaces; /* list separated by blanks or commas */
    uint64_t ping_interval, ping_timeout, connect_timeout, upgrade_timeout; /* ms */
    uint64_t claim_timeout;   /* ms until a client that comes back is connected without recovery */
    uint64_t request_timeout; /* ms until it is complete, and more for a body */
    size_t max_payload;       /* bytes in */
    int max_attachments, max_depth; /* of an event in */
    int max_packets;                /* of a POST in */
    int event_rate;       /* per second and client, 0 = any; over it the client is not read */
    size_t byte_rate;     /* likewise */
    size_t queue_bytes;   /* bytes queued per client, then it is closed */
    size_t receive_bytes; /* of all clients, of requests and messages that came in part */
    size_t inbox_bytes;   /* bytes received per client and not yet taken by the database */
    uint64_t ack_timeout; /* ms that a client may take to acknowledge an instruction */
    int max_gauges;       /* series of clients' gauges, 0 = none are kept */
    int client_log_rate;  /* lines a second about what clients sent, 0 = none */
    /* tokens */
    char *jwks_file, *jwks_url, *keycloak_url, *jwt_secret_file; /* exactly one is given */
    char *keycloak_realm;
    char *jwks_ca_file; /* whom the server of the keys must be certified by; "" = the system's */
    char *algorithms;   /* list */
    char *issuer;       /* "" = any */
    char *audience;     /* list, "" = any; compared with aud and azp */
    char *client_types; /* "node=30s user=10min": accepted types and their grace once expired */
    char *client_type_claims; /* names of the claim that holds the type, first one present counts */
    char *expired_event, *invalid_event;
    uint64_t leeway;                /* ms */
    uint64_t refused_grace;         /* ms until a connection without a good token is closed */
    int token_expiry;               /* enum token_expiry */
    uint64_t keys_interval;         /* ms between looks at the key file */
    uint64_t keys_max_age;          /* ms between fetches from a URL */
    uint64_t keys_refresh_interval; /* ms between fetches because of unknown keys */
    uint64_t keys_timeout;          /* ms that a fetch may take */
    size_t keys_bytes;              /* of an answer or a file */
    /* database */
    char *conninfo; /* libpq's; "" = PGHOST, PGSERVICE and so on */
    char *instance; /* "" = <hostname>:<port of listen> */
    uint64_t read_interval, audit_interval, beat_interval, retry_max, answer_timeout; /* ms */
    int read_rows; /* events per page */
    /* life */
    uint64_t drain_time; /* ms over which clients are closed on SIGTERM */
    int log_level;       /* enum log_level */
    bool log_json;
    /* what to do */
    enum { CONFIG_SERVE, CONFIG_CHECK, CONFIG_PRINT, CONFIG_VERSION, CONFIG_HELP } action;
};

/*
 * Fill *c. Returns 0, or -1 with one line in err that says what was expected, what was found and
 * what to do. environ is a NULL-terminated array of NAME=value. Free with config_free() in both
 * cases.
 */
int config_load(struct config *c, int argc, char **argv, char **environ, char *err, size_t errlen);
void config_free(struct config *c);

/* The effective values as a file that config_load() reads back. mask returns the conninfo without
 * its passwords, malloc'd. */
void config_print(const struct config *c, char *(*mask)(const char *conninfo), FILE *out);
/* --help, made from the table. */
void config_help(FILE *out);

/* True if client_types accepts this type; its grace in ms goes to *grace. */
bool config_client_type(const struct config *c, const char *type, size_t len, uint64_t *grace);

#endif
