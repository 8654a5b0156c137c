/* lease_queue: see lease_queue.h. A JSON object by sid is both the set and the message. */
#include "feed/lease_queue.h"
#include "base/alloc.h"

#include <stdlib.h>

struct lease_queue {
    json_t *queued, *waiting; /* objects: sid -> socket */
    json_t *flying;           /* array of such objects, oldest first */
    json_t *gone;             /* array */
};

struct lease_queue *lease_queue_new(void)
{
    struct lease_queue *r = alloc(sizeof *r);
    r->queued = must(json_object());
    r->waiting = must(json_object());
    r->flying = must(json_array());
    r->gone = must(json_array());
    return r;
}

void lease_queue_free(struct lease_queue *r)
{
    if (!r)
        return;
    json_decref(r->queued);
    json_decref(r->waiting);
    json_decref(r->flying);
    json_decref(r->gone);
    free(r);
}

void lease_queue_clear(struct lease_queue *r)
{
    json_object_clear(r->queued);
    json_object_clear(r->waiting);
    json_array_clear(r->flying);
    json_array_clear(r->gone);
}

/* NULL is no offset; an invalid one is an empty object. */
static json_t *offset_json(const char *text, const struct offset_log *log)
{
    struct offset o;
    if (!text)
        return json_null();
    if (!offset_read(log, text, &o))
        return must(json_object());
    return must(json_pack("{ss ss sI}", "prev", o.prev, "cur", o.cur, "id", (json_int_t)o.id));
}

void lease_queue_connect(struct lease_queue *r, const struct socket_info *s,
                         const struct offset_log *log)
{
    json_t *j =
        must(json_pack("{ss ss ss ss ss ss* ss* ss*}", "sid", s->sid, "nsp", s->nsp, "subject",
                       s->subject, "transport", s->transport, "address", s->address, "pid", s->pid,
                       "token", s->token, "user_agent", s->user_agent));
    json_object_set_new(j, "expires", s->expires ? json_integer(s->expires) : json_null());
    if (s->was) {
        json_object_set_new(j, "was", json_string(s->was));
        json_object_set_new(j, "place", offset_json(s->offset, log));
        json_object_set_new(j, "most_bytes", json_integer((json_int_t)s->most_bytes));
    }
    if (s->expired)
        json_object_set_new(j, "expired", json_true());
    if (s->known)
        json_object_set_new(j, "again", json_true());
    json_object_del(r->waiting, s->sid);
    json_object_set_new(r->queued, s->sid, j);
}

/* Removes the socket. True if it was in the set and unknown to the database. */
static bool withdraw(json_t *set, const char *sid)
{
    const json_t *socket = json_object_get(set, sid);
    bool new = socket && !json_object_get(socket, "again");
    json_object_del(set, sid);
    return new;
}

void lease_queue_disconnect(struct lease_queue *r, const char *sid, const char *reason,
                            bool by_client)
{
    size_t i;
    json_t *batch;
    bool unknown = withdraw(r->queued, sid) | withdraw(r->waiting, sid);
    /* If the batch is refused, this socket must not be queued again. */
    json_array_foreach (r->flying, i, batch)
        unknown &= json_object_del(batch, sid) != 0;
    if (unknown)
        return;
    json_array_append_new(r->gone, must(json_pack("{ss ss sb}", "sid", sid, "reason", reason,
                                                  "by_client", (int)by_client)));
}

/* In ASCII: the database may have an encoding that lacks a character of a subject. */
static char *dump(json_t *array)
{
    char *text = must(json_dumps(array, JSON_COMPACT | JSON_ENSURE_ASCII));
    json_decref(array);
    return text;
}

char *lease_queue_take_connects(struct lease_queue *r, size_t max)
{
    const char *sid;
    json_t *socket, *array, *batch;
    void *next;
    size_t resumes = 0;
    if (!json_object_size(r->queued))
        return NULL;
    array = must(json_array());
    batch = must(json_object());
    json_object_foreach_safe(r->queued, next, sid, socket)
    {
        if (json_array_size(array) == max)
            break;
        if (json_object_get(socket, "was") && ++resumes > LEASE_QUEUE_RESUMES)
            continue;
        json_array_append(array, socket);
        json_object_set(batch, sid, socket);
        json_object_del(r->queued, sid);
    }
    json_array_append_new(r->flying, batch);
    return dump(array);
}

char *lease_queue_take_disconnects(struct lease_queue *r, size_t max)
{
    json_t *array = r->gone;
    size_t n = json_array_size(array);
    if (!n)
        return NULL;
    r->gone = must(json_array());
    if (n > max) {
        json_t *rest = r->gone;
        for (size_t i = max; i < n; i++)
            json_array_append(rest, json_array_get(array, i));
        while (json_array_size(array) > max)
            json_array_remove(array, json_array_size(array) - 1);
    }
    return dump(array);
}

void lease_queue_answered(struct lease_queue *r)
{
    json_array_remove(r->flying, 0);
}

void lease_queue_refused(struct lease_queue *r)
{
    json_t *batch = json_array_get(r->flying, 0);
    const char *sid;
    json_t *newer;
    json_object_foreach (r->queued, sid, newer)
        json_object_del(batch, sid);
    json_object_update(r->waiting, batch);
    json_array_remove(r->flying, 0);
}

void lease_queue_retry(struct lease_queue *r)
{
    json_object_update(r->queued, r->waiting);
    json_object_clear(r->waiting);
}

size_t lease_queue_in_flight(const struct lease_queue *r)
{
    return json_array_size(r->flying);
}
