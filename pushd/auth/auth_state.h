/*
 * auth_state: the fields of struct auth, shared by auth, auth_judge and auth_verdict.
 */
#ifndef PUSHD_AUTH_STATE_H
#define PUSHD_AUTH_STATE_H

#include "auth/auth.h"
#include "auth/notice_limit.h"
#include "base/log_limit.h"

/*
 * auth's data of a client. Its verdict is that of all its sockets. A final verdict has been applied
 * to each.
 */
struct bearer {
    struct auth *auth;
    struct client *client;
    void *inner; /* the other backend's bearer */
    enum verdict verdict;
    unsigned sockets;
    bool connected; /* it has sent a CONNECT, so connect_timeout no longer limits its stay */
    /* Of an expired token: */
    bool proving; /* the other backend was asked whether its bearer resumes or returns */
    bool late;    /* and did not answer within claim_timeout */
    struct claims claims;
    /* SHA-256 of the token in base64url; "" = it cannot return with it. Never logged. */
    char fingerprint[44];
    char *token;       /* only while it waits for a key */
    uint64_t came;     /* the time when the token arrived */
    bool from_connect; /* it came in a CONNECT packet */
    char
        *second; /* from a CONNECT, while the token of the header waited; used if that one is bad */
    uint64_t second_came;
    struct timer grace;    /* until the client is closed, or an unknown key counts as invalid */
    struct timer expiry;   /* of a good token, if its expiry ends the connection */
    struct timer patience; /* until it connects without a resume, or its token counts as expired */
    struct bearer *next, **link; /* in the list of those that wait for a key */
};

struct auth {
    struct backend backend;
    const struct backend *inner;
    const struct config *config;
    struct metrics *metrics;
    struct wheel *wheel;
    struct hub *hub;
    const struct keyset *keys;
    void (*unknown_key)(void *ctx);
    void *unknown_key_ctx;
    int64_t unix_ms;              /* wall clock minus the clock of the wheel */
    bool loaded;                  /* there has been a key */
    struct bearer *waiting;       /* for a key */
    struct bearer *again;         /* of those, the ones that are still to be judged by new keys */
    struct notice_limit *notices; /* addresses that got the invalid_event */
    struct log_limit lines;       /* about clients and their tokens */
};

/* --- auth_judge.c --- */

/* The token of a header Authorization: Bearer, or NULL. */
const char *auth_header_token(const char *authorization, size_t *len);
/* Judges this token; the verdict is not applied yet. A token that waits for a key is kept. */
void bearer_judge(struct bearer *b, const char *token, size_t len, uint64_t now);
/* Would this token be judged good? Changes nothing. */
bool bearer_would_be_good(const struct bearer *b, const char *token, size_t len, uint64_t now);
bool bearer_waits(const struct bearer *b);
void bearer_stop_waiting(struct bearer *b);
/* The key of its token will not come: the token is invalid. */
void bearer_give_up(struct bearer *b, uint64_t now);
/* Logs this about the client, within client_log_rate. */
void bearer_log(const struct bearer *b, const char *what, const char *why, uint64_t now);
/* Keeps the token of a CONNECT packet while the token of the header waits. Only the first one is
 * kept. */
void bearer_keep_second(struct bearer *b, const char *token, size_t len, uint64_t now);
/* If the first token is bad, judges the second by keys whose fetch began at as_of. */
void bearer_try_second(struct bearer *b, uint64_t as_of, uint64_t now);
/* Asks for its key to be fetched, if it is unknown. */
void bearer_ask_for_key(struct bearer *b);

/* --- auth_verdict.c --- */

/* An expired token still names its bearer, and the other backend may prove it: a socket resumes an
 * earlier one, or returns with the token of a connection that the server ended. */
bool bearer_is_provable(const struct bearer *b);
/* Applies the verdict to one socket. Must be the last call for it: the other backend may refuse it.
 */
void bearer_act(struct bearer *b, const struct socket_info *s, uint64_t now);
/* Starts the timer that the verdict needs, whether the client has sockets now or not. */
void bearer_limit_stay(struct bearer *b, uint64_t now);
/* Applies a new verdict to all sockets. */
void bearer_settle(struct bearer *b, uint64_t now);
/* Closes the client after this time, in ms. */
void bearer_start_grace(struct bearer *b, uint64_t ms, uint64_t now);
/* Asks the other backend to connect the socket. */
void bearer_pass_on(struct bearer *b, const struct socket_info *s, uint64_t now);
/* The client asks to resume, or may return. Without a result within claim_timeout it does not. */
void bearer_await_proof(struct bearer *b, uint64_t now);
/* The result of a socket with an expired token: principal is the proven one, or 0. */
void bearer_judge_proof(struct bearer *b, const char *sid, int64_t principal, uint64_t now);

#endif
