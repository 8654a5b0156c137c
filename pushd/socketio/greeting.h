/*
 * greeting: the instructions that a socket receives when it joins. Sockets of one principal that
 * connect together have the same one.
 */
#ifndef PUSHD_GREETING_H
#define PUSHD_GREETING_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/shared_text.h"

struct greeting {
    size_t n;
    struct greeting_event {
        int64_t ack; /* as id of ack_queue_add() */
        struct shared_text *payload;
    } events[];
};

/* Of an array of {"payload": text, "ack": id}; "ack" is absent if no acknowledgement is expected.
 * NULL gives NULL. */
struct greeting *greeting_new(struct shared_texts *texts, const json_t *events);
void greeting_free(struct greeting *g);

#endif
