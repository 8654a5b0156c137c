/*
 * mock_net: a network for the core under test, a mock of struct net.
 *
 * Requests and WebSockets are handles in a table, which record what they were answered. It keeps
 * the promises that net.h makes to the core, and demands those of the core: a request is answered
 * once, nothing is sent to what is closed or has a backlog, every packet has its form.
 */
#ifndef TEST_MOCK_NET_H
#define TEST_MOCK_NET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/sid.h"
#include "engineio/net.h"

struct engine;
struct session;
struct mock_net;

enum { HANDLES = 64, STREAMS = 128, SIDS = 8 };

/* A request or a WebSocket. */
struct handle {
    struct mock_net *net;
    enum { HANDLE_FREE, HANDLE_OPEN, HANDLE_DONE } state;
    bool websocket;
    int status; /* of the reply; 0 = none yet */
    char query[128], cookie[32];
    struct session *session; /* of a WebSocket */
    size_t sends;
    bool closed, paused;
    unsigned code; /* it was closed with */
    bool stalled;  /* the next send leaves a backlog */
    bool backlog;
    char text[16384]; /* body of the reply, or the frames sent, each with a newline; binary ones
                         after a 'b'. Of a flood only the beginning. */
};

/* What has been sent to a session: after a packet with attachments come just these. */
struct stream {
    char sid[SID_LEN + 1];
    unsigned attachments;
};

struct mock_net {
    struct engine *engine; /* whose packets are Socket.IO's; NULL = they are not looked at */
    struct handle handle[HANDLES];
    struct stream streams[STREAMS];
    char sids[SIDS][SID_LEN + 1]; /* of the last polling sessions */
    unsigned next_sid;
};

extern const struct net mock_net_functions;

/* All handles are free. */
void mock_net_begin(struct mock_net *net, struct engine *engine);
/* The n-th handle, open for this request; what it was before is forgotten. */
struct handle *mock_net_open(struct mock_net *net, int n, const struct request *rq);

#endif
