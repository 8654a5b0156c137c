/*
 * inbox: events from clients that the database has not processed yet. They are numbered, so that a
 * repetition counts once.
 *
 * Numbers count from 1 through the life of the process, which is the stream of work_link. An item
 * keeps its number. Items that were sent and not answered are sent again with the same numbers.
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
/* The oldest items as a JSON array for receive(), malloc'd. NULL if there are none. */
char *inbox_batch(struct inbox *b);
/* The database has processed all items up to this number. True if that is the whole last batch. */
bool inbox_taken(struct inbox *b, int64_t seq);
/* The last batch was refused because of its content. Its items are then sent one by one: NULL. A
 * single item is dropped: the result is a report of that for client_reports_take(), malloc'd. */
char *inbox_refused(struct inbox *b, const char *reason);

#endif
