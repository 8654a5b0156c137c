/*
 * paper: a network and a backend of paper for the target "engine": they keep the promises that
 * net.h and backend.h make to the core, remember all they were told, and demand what the core
 * promises: a request is answered once, nothing is sent to what is closed or has a backlog, a
 * socket is asked for and taken leave of once.
 */
#ifndef TEST_PAPER_H
#define TEST_PAPER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/sid.h"
#include "engineio/net.h"
#include "socketio/backend.h"

struct engine;
struct hub;
struct session;

enum { HANDLES = 48, SOCKETS = 64, ROOMS = 4, STREAMS = 32 };

/* A request or a WebSocket. */
struct handle {
    enum { HANDLE_FREE, HANDLE_OPEN, HANDLE_DONE } state;
    bool websocket;
    int status;
    char query[64];          /* of a request */
    struct session *session; /* of a WebSocket */
    bool stalled;            /* the next send leaves a backlog */
    bool backlog, paused;
};

/* What the backend knows of a socket. */
struct guest {
    bool here; /* asked for, and not taken leave of */
    char sid[SID_LEN + 1], nsp[16];
    struct visit *visit;
    bool accepted;
    bool welcome; /* admitted once with a principal: joined */
    bool waits;   /* to be admitted again */
    bool nobody;  /* admitted last without one */
    int64_t principal;
    unsigned rooms; /* a bit each */
    size_t untaken; /* bytes received and not taken */
    char ack[24];   /* of the last event that wanted one */
    /* The events before this xid are not for it: until a read that began later has ended. */
    uint64_t since;
    bool settling;
};

/* What the backend keeps of a client. */
struct visit {
    struct client *client;
    unsigned guests;
};

/* What has been sent to a session: after a packet with attachments come just these. */
struct stream {
    char sid[SID_LEN + 1];
    unsigned attachments;
};

struct paper {
    struct engine *engine;
    struct hub *hub;
    struct stream streams[STREAMS];
    struct handle handles[HANDLES];
    struct guest guests[SOCKETS];
    char sids[8][SID_LEN + 1]; /* of the last polling sessions */
    unsigned next_sid;
    unsigned visits;
    bool accepts; /* at once; else when the program says so */
    struct backend backend;
};
extern struct paper paper;
extern const struct net paper_net;

void paper_begin(bool accepts, bool acks);
/* A handle that was free, or is done; NULL if all are open. */
struct handle *paper_handle(bool websocket);
/* "a,c" for the bits 0 and 2. */
const char *paper_rooms(unsigned bits);

#endif
