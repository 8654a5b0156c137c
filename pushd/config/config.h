/*
 * config: every option of vantage6-pushd, from one table.
 *
 * A value comes from the first of these that gives one: a flag (--ping-interval 25s), the
 * environment (VANTAGE6_PUSHD_PING_INTERVAL), a file without sections (ping_interval = 25s), the
 * default. Durations take ms, s, min or h and mean seconds without a unit; sizes take B, kB, MB and
 * mean bytes without one. Unknown names are errors, with the nearest known name in the message.
 */
#ifndef PUSHD_CONFIG_H
#define PUSHD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CONFIG_NAMESPACES_MAX 32
/* The algorithms of signatures that tokens may have. */
#define CONFIG_ALGORITHMS "RS256 ES256 EdDSA HS256"

/* What happens to a connection whose token expires, in the order of the option's words. */
enum token_expiry { TOKEN_EXPIRY_KEEP, TOKEN_EXPIRY_CLOSE };

/* In the groups of the table, which says what each option is for. Durations are in ms, sizes in
 * bytes; a list has words separated by blanks or commas. */
struct config {
    /* network */
    char *listen, *admin_listen; /* host:port */
    char *path;
    char *cors_allowed_origins; /* "*" or a list */
    char *trusted_proxies;      /* list */
    char *cookie;               /* "" = none */
    /* protocol */
    char *namespaces; /* list */
    uint64_t ping_interval, ping_timeout, connect_timeout, claim_timeout, upgrade_timeout;
    uint64_t request_timeout, ack_timeout;
    /* limits */
    int max_connections, max_connections_per_address, max_connections_per_principal;
    int max_polling;
    int handshake_rate; /* 0 = any */
    size_t max_payload;
    int max_attachments, max_packets, max_depth;
    int event_rate;   /* 0 = any */
    size_t byte_rate; /* 0 = any */
    size_t queue_bytes, receive_bytes, stranger_bytes, inbox_bytes;
    int max_gauges, client_log_rate; /* 0 = none */
    /* tokens */
    char *algorithms;                        /* list */
    char *issuer;                            /* "" = any */
    char *audience;                          /* list, "" = any */
    char *client_types, *client_type_claims; /* lists */
    char *expired_event, *invalid_event;
    uint64_t leeway, refused_grace;
    int token_expiry; /* enum token_expiry */
    /* keys */
    char *keycloak_url, *keycloak_realm;          /* "" = not given */
    char *jwks_url, *jwks_file, *jwt_secret_file; /* "" = not given */
    char *jwks_ca_file;                           /* "" = the system's */
    uint64_t keys_interval, keys_max_age, keys_refresh_interval, keys_timeout;
    size_t keys_bytes;
    /* database */
    char *conninfo; /* "" = libpq's environment */
    char *instance; /* "" = <hostname>:<port of listen> */
    uint64_t read_interval, audit_interval, beat_interval, retry_max, answer_timeout;
    int read_rows;
    /* life */
    uint64_t drain_time;
    int log_level; /* enum log_level */
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
