/*
 * auth_state: the inside of the auth, for the files that make it up.
 */
#ifndef PUSHD_AUTH_STATE_H
#define PUSHD_AUTH_STATE_H

#include "auth/auth.h"
#include "auth/notice_limit.h"

/*
 * What the auth keeps of a client. Its verdict is that of all its sockets: once it is final, each
 * has been acted upon.
 */
struct bearer {
    struct auth *auth;
    struct client *client;
    void *inner; /* the other backend's bearer */
    enum verdict verdict;
    unsigned sockets;
    bool proving; /* the other backend has been asked whether a resume makes up for its expiry */
    struct claims claims;
    char *token;       /* only while it waits for a key */
    uint64_t came;     /* when the token did */
    bool from_connect; /* it came in a CONNECT packet */
    char *second;      /* came in one while the header's waited; counts if that is bad */
    uint64_t second_came;
    struct timer grace;          /* until it is dismissed, or an unknown key is an invalid one */
    struct timer expiry;         /* of a good token, if that ends the connection */
    struct timer patience;       /* with its resumes */
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
    struct bearer *waiting;       /* for a key */
    struct bearer *again;         /* those of them that are still to be judged by new keys */
    struct notice_limit *notices; /* addresses that got the invalid_event */
};

/* --- auth_judge.c --- */

/* The token of a header Authorization: Bearer, or NULL. */
const char *auth_header_token(const char *authorization, size_t *len);
/* A new verdict for this token; nothing follows from it yet. It is kept if a key is awaited. */
void bearer_judge(struct bearer *b, const char *token, size_t len, uint64_t now);
bool bearer_waits(const struct bearer *b);
void bearer_stop_waiting(struct bearer *b);
/* The key that its token names will not come: it is invalid. */
void bearer_give_up(struct bearer *b);
/* The token of a CONNECT packet, while that of the header waits: the first one is kept. */
void bearer_keep_second(struct bearer *b, const char *token, size_t len, uint64_t now);
/* If the first has become bad, judge the second by keys that were looked for at as_of. */
void bearer_try_second(struct bearer *b, uint64_t as_of, uint64_t now);
/* Have its key looked for, if that is unknown. */
void bearer_ask_for_key(struct bearer *b);

/* --- auth_verdict.c --- */

/* A token that has expired still says who its bearer was, which a resume may prove. */
bool bearer_is_provable(const struct bearer *b);
/* What the verdict means for one socket. The last act for it: the other backend may refuse it. */
void bearer_act(struct bearer *b, const struct socket_info *s, uint64_t now);
/* What it means for the client, once that has a socket. */
void bearer_limit_stay(struct bearer *b, uint64_t now);
/* There is a new verdict: act upon it for all sockets. */
void bearer_settle(struct bearer *b, uint64_t now);
/* The client is dismissed after this time, in ms. */
void bearer_start_grace(struct bearer *b, uint64_t ms, uint64_t now);
/* The other backend is asked to connect the socket. */
void bearer_pass_on(struct bearer *b, const struct socket_info *s, uint64_t now);
/* The client has asked to resume: if that is not judged within claim_timeout, it is none. */
void bearer_await_resume(struct bearer *b, uint64_t now);
/* A resume was judged: principal is who it proves, or 0. */
void bearer_judge_resume(struct bearer *b, const char *sid, int64_t principal, uint64_t now);

#endif
