/* roster: see roster.h. A JSON object by sid is both the set and what is sent. */
#include "roster.h"

#include <stdlib.h>

struct roster {
    json_t *queued, *waiting; /* objects: sid -> socket */
    json_t *flying;           /* array of such objects, oldest first */
    json_t *gone;             /* array */
};

static json_t *must(json_t *j)
{
    if (!j)
        abort();
    return j;
}

struct roster *roster_new(void)
{
    struct roster *r = calloc(1, sizeof *r);
    if (!r)
        abort();
    r->queued = must(json_object());
    r->waiting = must(json_object());
    r->flying = must(json_array());
    r->gone = must(json_array());
    return r;
}

void roster_free(struct roster *r)
{
    if (!r)
        return;
    json_decref(r->queued);
    json_decref(r->waiting);
    json_decref(r->flying);
    json_decref(r->gone);
    free(r);
}

void roster_clear(struct roster *r)
{
    json_object_clear(r->queued);
    json_object_clear(r->waiting);
    json_array_clear(r->flying);
    json_array_clear(r->gone);
}

/* No offset is another thing than one that is none: an empty object. */
static json_t *place(const char *text, const struct offset_log *log)
{
    struct offset o;
    if (!text)
        return json_null();
    if (!offset_read(log, text, &o))
        return must(json_object());
    return must(json_pack("{ss ss sI}", "prev", o.prev, "cur", o.cur, "id", (json_int_t)o.id));
}

void roster_connect(struct roster *r, const struct socket_info *s, const struct offset_log *log)
{
    json_t *j =
        must(json_pack("{ss ss ss ss ss ss*}", "sid", s->sid, "nsp", s->nsp, "subject", s->subject,
                       "transport", s->transport, "address", s->address, "pid", s->pid));
    json_object_set_new(j, "expires", s->expires ? json_integer(s->expires) : json_null());
    if (s->was) {
        json_object_set_new(j, "was", json_string(s->was));
        json_object_set_new(j, "place", place(s->offset, log));
        json_object_set_new(j, "most_bytes", json_integer((json_int_t)s->most_bytes));
        json_object_set_new(j, "expired", json_boolean(s->expired));
    }
    if (s->known)
        json_object_set_new(j, "again", json_true());
    json_object_del(r->waiting, s->sid);
    json_object_set_new(r->queued, s->sid, j);
}

/* Takes it out; true if it was there, and the database has never known it. */
static bool withdraw(json_t *set, const char *sid)
{
    const json_t *socket = json_object_get(set, sid);
    bool new = socket && !json_object_get(socket, "again");
    json_object_del(set, sid);
    return new;
}

void roster_disconnect(struct roster *r, const char *sid, const char *reason, bool by_client)
{
    size_t i;
    json_t *batch;
    bool unknown = withdraw(r->queued, sid) | withdraw(r->waiting, sid);
    /* If the batch is refused, this one is not to come back. */
    json_array_foreach (r->flying, i, batch)
        unknown &= json_object_del(batch, sid) != 0;
    if (unknown)
        return;
    json_array_append_new(r->gone, must(json_pack("{ss ss sb}", "sid", sid, "reason", reason,
                                                  "by_client", (int)by_client)));
}

static char *dump(json_t *array)
{
    char *text = json_dumps(array, JSON_COMPACT);
    if (!text)
        abort();
    json_decref(array);
    return text;
}

char *roster_take_connects(struct roster *r, size_t max)
{
    const char *sid;
    json_t *socket, *array, *batch;
    void *next;
    size_t claims = 0;
    if (!json_object_size(r->queued))
        return NULL;
    array = must(json_array());
    batch = must(json_object());
    json_object_foreach_safe(r->queued, next, sid, socket)
    {
        if (json_array_size(array) == max)
            break;
        if (json_object_get(socket, "was") && ++claims > ROSTER_CLAIMS)
            continue;
        json_array_append(array, socket);
        json_object_set(batch, sid, socket);
        json_object_del(r->queued, sid);
    }
    json_array_append_new(r->flying, batch);
    return dump(array);
}

char *roster_take_disconnects(struct roster *r, size_t max)
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

void roster_answered(struct roster *r)
{
    json_array_remove(r->flying, 0);
}

void roster_refused(struct roster *r)
{
    json_t *batch = json_array_get(r->flying, 0);
    const char *sid;
    json_t *newer;
    json_object_foreach (r->queued, sid, newer)
        json_object_del(batch, sid);
    json_object_update(r->waiting, batch);
    json_array_remove(r->flying, 0);
}

void roster_retry(struct roster *r)
{
    json_object_update(r->queued, r->waiting);
    json_object_clear(r->waiting);
}

size_t roster_in_flight(const struct roster *r)
{
    return json_array_size(r->flying);
}
