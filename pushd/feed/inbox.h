/*
 * inbox: events of clients that the database has not taken yet, numbered so that a repetition
 * counts once.
 *
 * An item has its number for good: they count from 1 through the life of the process, which is the
 * stream of work_link. What has been sent and not answered is sent again with the same numbers.
 */
#ifndef PUSHD_INBOX_H
#define PUSHD_INBOX_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct inbox;
/* An item has left the inbox. */
typedef void inbox_left(void *ctx, const char *sid, size_t bytes);

struct inbox *inbox_new(inbox_left *left, void *ctx);
void inbox_free(struct inbox *b);

void inbox_put(struct inbox *b, const char *sid, int64_t principal, const char *nsp,
               const json_t *event, size_t bytes);
/* The oldest items as a JSON array for receive(), malloc'd; NULL if there are none. */
char *inbox_batch(struct inbox *b);
/* All up to this number have been taken; true if that is all of the last batch. */
bool inbox_taken(struct inbox *b, int64_t seq);
/* The last batch was refused for what it holds: its items are tried one by one, and one that was
 * alone leaves; then the result is true. */
bool inbox_refused(struct inbox *b);

#endif
