/*
 * metrics: the numbers pushd keeps of itself, and their OpenMetrics text.
 *
 * Counters only grow; gauges move. One table (METRICS) drives the enum, the exposition and the test
 * of the documentation. No token, room or user name is ever part of a metric.
 */
#ifndef PUSHD_METRICS_H
#define PUSHD_METRICS_H

#include <stddef.h>

/* X(id, kind, name, help); the exposition puts "vantage6_pushd_" before the name. */
#define METRICS(X)                                                                                 \
    X(METRIC_SESSIONS, gauge, "sessions", "Engine.IO sessions now open")                           \
    X(METRIC_WEBSOCKETS, gauge, "websockets", "Sessions whose transport is WebSocket")             \
    X(METRIC_SOCKETS, gauge, "sockets", "Socket.IO sockets (one per session and namespace)")       \
    X(METRIC_JOINED, gauge, "sockets_joined", "Sockets whose rooms have been read")                \
    X(METRIC_ROOMS, gauge, "rooms", "Rooms that have at least one member")                         \
    X(METRIC_QUEUED_BYTES, gauge, "queued_bytes", "Bytes waiting in the queues of all clients")    \
    X(METRIC_HANDSHAKES, counter, "handshakes", "Engine.IO handshakes accepted")                   \
    X(METRIC_UPGRADES, counter, "upgrades", "Upgrades from polling to WebSocket completed")        \
    X(METRIC_EVENTS, counter, "events", "Events read from the log")                                \
    X(METRIC_DELIVERIES, counter, "deliveries", "Events put into the queue of a client")           \
    X(METRIC_BYTES_SENT, counter, "sent_bytes", "Bytes handed to the network for clients")         \
    X(METRIC_SENDS, counter, "sends", "Writes handed to the network for clients")                  \
    X(METRIC_RECEIVED, counter, "received_events", "Events received from clients")                 \
    X(METRIC_ACKS, counter, "acks", "Acknowledgements sent to clients")                            \
    X(METRIC_BAD_REQUESTS, counter, "bad_requests", "HTTP requests refused")                       \
    X(METRIC_BAD_PACKETS, counter, "bad_packets", "Sessions closed for a malformed packet")        \
    X(METRIC_SLOW_CLIENTS, counter, "slow_clients",                                                \
      "Sessions closed because their queue was full")                                              \
    X(METRIC_PING_TIMEOUTS, counter, "ping_timeouts", "Sessions closed because no pong arrived")   \
    X(METRIC_TOKENS_GOOD, counter, "tokens_good", "Tokens judged good")                            \
    X(METRIC_TOKENS_EXPIRED, counter, "tokens_expired", "Tokens judged expired")                   \
    X(METRIC_TOKENS_INVALID, counter, "tokens_invalid", "Tokens with a bad signature or key")      \
    X(METRIC_TOKENS_REFUSED, counter, "tokens_refused",                                            \
      "Tokens absent, malformed or not for here")                                                  \
    X(METRIC_UNKNOWN_SUBJECTS, counter, "unknown_subjects", "Good tokens of no known principal")   \
    X(METRIC_DB_READS, counter, "database_reads", "Reads of the event log")                        \
    X(METRIC_DB_RECONNECTS, counter, "database_reconnects", "Connections made to the database")    \
    X(METRIC_DB_ERRORS, counter, "database_errors", "Statements that the database refused")        \
    X(METRIC_READY, gauge, "ready", "1 if /readyz says ready")

enum metric_id {
#define METRIC_ENUM(id, kind, name, help) id,
    METRICS(METRIC_ENUM)
#undef METRIC_ENUM
        METRIC_COUNT
};

struct metrics {
    double value[METRIC_COUNT];
};

void metrics_add(struct metrics *m, enum metric_id id, double n);
void metrics_set(struct metrics *m, enum metric_id id, double v);

/* The exposition (OpenMetrics 1.0.0, ends with "# EOF\n"), malloc'd: the caller frees it. */
char *metrics_text(const struct metrics *m, size_t *len);

#endif
