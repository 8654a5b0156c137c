/*
 * metrics: pushd's own metrics and their OpenMetrics text.
 *
 * Counters only grow; gauges go up and down. One table (METRICS) makes the enum, the exposition and
 * the test of the documentation. A family is one name. If a label distinguishes its samples, each
 * sample has a row. A reason that is a limit has the name of its option. No token, room or user
 * name is ever part of a metric.
 *
 * The database chooses the reasons of refused_events, which are added when they first arrive. The
 * row here counts the reason "other". The database also chooses the kind of doorbell.
 */
#ifndef PUSHD_METRICS_H
#define PUSHD_METRICS_H

#include <stddef.h>

#include "base/gauges.h"

/* How many words of the database are distinguished, and how long one may be. */
enum { METRICS_REASONS = 32, METRICS_REASON_MAX = 32 };

/*
 * X(id, kind, name, help): a family of one sample. BY(id, kind, name, label, value, help): one
 * sample of a family. Its rows follow each other, and the first has the help. The exposition puts
 * "vantage6_pushd_" before the name.
 */
#define METRICS(X, BY)                                                                             \
    X(METRIC_CONNECTIONS, gauge, "connections", "Open connections, WebSockets included")           \
    X(METRIC_SESSIONS, gauge, "sessions", "Engine.IO sessions now open")                           \
    X(METRIC_WEBSOCKETS, gauge, "websockets", "Sessions whose transport is WebSocket")             \
    X(METRIC_SOCKETS, gauge, "sockets", "Socket.IO sockets (one per session and namespace)")       \
    X(METRIC_JOINED, gauge, "sockets_joined", "Sockets whose rooms have been read")                \
    X(METRIC_ROOMS, gauge, "rooms", "Rooms that have at least one member")                         \
    X(METRIC_QUEUED_BYTES, gauge, "queued_bytes",                                                  \
      "Bytes waiting in the queues of all clients, instructions included")                         \
    X(METRIC_INSTRUCTION_BYTES, gauge, "instruction_bytes",                                        \
      "Bytes of the instructions that wait, each counted once")                                    \
    X(METRIC_RECEIVING, gauge, "receiving_bytes",                                                  \
      "Bytes kept of what has come in part or has to wait")                                        \
    X(METRIC_HANDSHAKES, counter, "handshakes", "Engine.IO handshakes accepted")                   \
    X(METRIC_UPGRADES, counter, "upgrades", "Upgrades from polling to WebSocket completed")        \
    X(METRIC_EVENTS, counter, "events", "Events read from the log")                                \
    X(METRIC_DELIVERIES, counter, "deliveries", "Events put into the queue of a client")           \
    X(METRIC_BYTES_SENT, counter, "sent_bytes", "Bytes handed to the network for clients")         \
    X(METRIC_SENDS, counter, "sends", "Writes handed to the network for clients")                  \
    X(METRIC_RECEIVED, counter, "received_events", "Events received from clients")                 \
    X(METRIC_ACKS, counter, "acks", "Acknowledgements sent to clients")                            \
    BY(METRIC_REFUSED_EVENTS, counter, "refused_events", "reason", "other",                        \
       "Events of clients that had no effect")                                                     \
    X(METRIC_GAUGES, gauge, "gauges", "Gauges of clients, each series one")                        \
    BY(METRIC_REFUSED_GAUGES, counter, "refused_gauges", "reason", "max_gauges",                   \
       "Gauges of clients that were not kept")                                                     \
    BY(METRIC_REFUSED_MALFORMED, counter, "refused_requests", "reason", "malformed",               \
       "HTTP requests refused")                                                                    \
    BY(METRIC_REFUSED_TRANSPORT, counter, "refused_requests", "reason", "transport", "")           \
    BY(METRIC_REFUSED_SID, counter, "refused_requests", "reason", "sid", "")                       \
    BY(METRIC_REFUSED_METHOD, counter, "refused_requests", "reason", "method", "")                 \
    BY(METRIC_REFUSED_VERSION, counter, "refused_requests", "reason", "version", "")               \
    BY(METRIC_REFUSED_PATH, counter, "refused_requests", "reason", "path", "")                     \
    BY(METRIC_REFUSED_ORIGIN, counter, "refused_requests", "reason", "cors_allowed_origins", "")   \
    BY(METRIC_REFUSED_PAYLOAD, counter, "refused_requests", "reason", "max_payload", "")           \
    BY(METRIC_REFUSED_LENGTH, counter, "refused_requests", "reason", "length", "")                 \
    BY(METRIC_REFUSED_TIMEOUT, counter, "refused_requests", "reason", "request_timeout", "")       \
    BY(METRIC_REFUSED_RECEIVE, counter, "refused_requests", "reason", "receive_bytes", "")         \
    BY(METRIC_REFUSED_STRANGER, counter, "refused_requests", "reason", "stranger_bytes", "")       \
    BY(METRIC_REFUSED_CONNECTIONS, counter, "refused_requests", "reason", "max_connections", "")   \
    BY(METRIC_REFUSED_ADDRESS, counter, "refused_requests", "reason",                              \
       "max_connections_per_address", "")                                                          \
    BY(METRIC_REFUSED_POLLING, counter, "refused_requests", "reason", "max_polling", "")           \
    BY(METRIC_REFUSED_RATE, counter, "refused_requests", "reason", "handshake_rate", "")           \
    BY(METRIC_REFUSED_STOPPING, counter, "refused_requests", "reason", "stopping", "")             \
    BY(METRIC_CLOSED_CLIENT, counter, "closed_sessions", "reason", "client", "Sessions ended")     \
    BY(METRIC_CLOSED_OVERLAP, counter, "closed_sessions", "reason", "overlap", "")                 \
    BY(METRIC_CLOSED_MALFORMED, counter, "closed_sessions", "reason", "malformed", "")             \
    BY(METRIC_CLOSED_PAYLOAD, counter, "closed_sessions", "reason", "max_payload", "")             \
    BY(METRIC_CLOSED_RECEIVE, counter, "closed_sessions", "reason", "receive_bytes", "")           \
    BY(METRIC_CLOSED_STRANGER, counter, "closed_sessions", "reason", "stranger_bytes", "")         \
    BY(METRIC_CLOSED_ATTACHMENTS, counter, "closed_sessions", "reason", "max_attachments", "")     \
    BY(METRIC_CLOSED_DEPTH, counter, "closed_sessions", "reason", "max_depth", "")                 \
    BY(METRIC_CLOSED_PACKETS, counter, "closed_sessions", "reason", "max_packets", "")             \
    BY(METRIC_CLOSED_QUEUE_FULL, counter, "closed_sessions", "reason", "queue_bytes", "")          \
    BY(METRIC_CLOSED_TIMEOUT, counter, "closed_sessions", "reason", "ping_timeout", "")            \
    BY(METRIC_CLOSED_IDLE, counter, "closed_sessions", "reason", "connect_timeout", "")            \
    BY(METRIC_CLOSED_TOKEN, counter, "closed_sessions", "reason", "token", "")                     \
    BY(METRIC_CLOSED_PRINCIPAL, counter, "closed_sessions", "reason",                              \
       "max_connections_per_principal", "")                                                        \
    BY(METRIC_CLOSED_KICKED, counter, "closed_sessions", "reason", "kicked", "")                   \
    BY(METRIC_CLOSED_DOUBT, counter, "closed_sessions", "reason", "doubt", "")                     \
    BY(METRIC_CLOSED_STOPPING, counter, "closed_sessions", "reason", "stopping", "")               \
    BY(METRIC_PAUSED_INBOX, counter, "paused_clients", "reason", "inbox_bytes",                    \
       "Times that a client was not read from for a while")                                        \
    BY(METRIC_PAUSED_EVENTS, counter, "paused_clients", "reason", "event_rate", "")                \
    BY(METRIC_PAUSED_BYTES, counter, "paused_clients", "reason", "byte_rate", "")                  \
    BY(METRIC_PAUSED_PRINCIPAL, counter, "paused_clients", "reason", "principal", "")              \
    X(METRIC_LOG_FILL, gauge, "log_fill",                                                          \
      "Size of the event log as a part of max_log_bytes; 0 below three quarters")                  \
    BY(METRIC_TOKENS_GOOD, counter, "tokens", "verdict", "good", "Tokens judged")                  \
    BY(METRIC_TOKENS_EXPIRED, counter, "tokens", "verdict", "expired", "")                         \
    BY(METRIC_TOKENS_INVALID, counter, "tokens", "verdict", "invalid", "")                         \
    BY(METRIC_TOKENS_REFUSED, counter, "tokens", "verdict", "refused", "")                         \
    X(METRIC_UNKNOWN_SUBJECTS, counter, "unknown_subjects", "Good tokens of no known principal")   \
    X(METRIC_KEYS, gauge, "keys", "Keys that tokens are judged by")                                \
    X(METRIC_KEYS_AGE, gauge, "keys_age_seconds",                                                  \
      "Time since the keys were last found right; before that, since the start")                   \
    BY(METRIC_KEYS_GOOD, counter, "keys_refreshes", "result", "good", "Looks for the keys")        \
    BY(METRIC_KEYS_FAILED, counter, "keys_refreshes", "result", "failed", "")                      \
    BY(METRIC_INSTRUCTIONS_SENT, counter, "errands", "outcome", "sent",                            \
       "Events that clients are to acknowledge, one after the other")                              \
    BY(METRIC_INSTRUCTIONS_ACKED, counter, "errands", "outcome", "acknowledged", "")               \
    BY(METRIC_INSTRUCTIONS_SILENT, counter, "errands", "outcome", "ack_timeout", "")               \
    X(METRIC_DB_READS, counter, "database_reads", "Reads of the event log")                        \
    X(METRIC_PAGES_WAITED, counter, "pages_waited",                                                \
      "Pages of a read that waited for clients whose queues were half full")                       \
    BY(METRIC_RIGHTS_NOTED, counter, "rights_changes", "found", "noted",                           \
       "Sockets whose rooms have changed while they were connected")                               \
    BY(METRIC_RIGHTS_AUDIT, counter, "rights_changes", "found", "audit", "")                       \
    BY(METRIC_RIGHTS_DOUBT, counter, "rights_changes", "found", "doubt", "")                       \
    BY(METRIC_RECOVERED, counter, "claims", "result", "recovered",                                 \
       "Clients that came back and asked for what they missed")                                    \
    BY(METRIC_NOT_RECOVERED, counter, "claims", "result", "not_recovered", "")                     \
    X(METRIC_BELL, gauge, "bell", "1 for the kind of bell that the database rings")                \
    X(METRIC_DB_RECONNECTS, counter, "database_reconnects", "Connections made to the database")    \
    X(METRIC_DB_ERRORS, counter, "database_errors",                                                \
      "Statements that the database refused, and malformed reports of it")                         \
    X(METRIC_DB_WARNINGS, counter, "database_warnings",                                            \
      "Warnings of the database, such as one for each part of a beat that failed")                 \
    BY(METRIC_LOG_LIMITED, counter, "log_lines_left_out", "reason", "client_log_rate",             \
       "Log lines that were not written")                                                          \
    BY(METRIC_LOG_UNREAD, counter, "log_lines_left_out", "reason", "unread", "")                   \
    X(METRIC_READY, gauge, "ready", "1 if /readyz says ready")

enum metric_id {
#define METRIC_ENUM(id, ...) id,
    METRICS(METRIC_ENUM, METRIC_ENUM)
#undef METRIC_ENUM
        METRIC_COUNT
};

struct metrics {
    double value[METRIC_COUNT];
    struct {
        char word[METRICS_REASON_MAX + 1];
        double n;
    } reasons[METRICS_REASONS];
    char bell[METRICS_REASON_MAX + 1]; /* empty = unknown */
};

void metrics_add(struct metrics *m, enum metric_id id, double n);
void metrics_set(struct metrics *m, enum metric_id id, double v);
/* The database refused n events for this reason. Returns the reason under which they are counted:
 * "other" if the word has anything but small letters and _, or if there are too many words. */
const char *metrics_refused(struct metrics *m, const char *reason, double n);
/* Sets the kind of doorbell to the database's word; "other" if the word has anything but small
 * letters and _. */
void metrics_bell(struct metrics *m, const char *kind);

/* The exposition (OpenMetrics 1.0.0, ends with "# EOF\n"). Free it with free(). */
char *metrics_text(const struct metrics *m, struct gauges *g, size_t *len);

#endif
