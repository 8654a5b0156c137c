/* greeting: see greeting.h. */
#include "socketio/greeting.h"
#include "base/alloc.h"
#include "socketio/ack_queue.h"

#include <stdlib.h>

struct greeting *greeting_new(struct shared_texts *texts, const json_t *events)
{
    if (!events)
        return NULL;
    struct greeting *g = alloc(sizeof *g + json_array_size(events) * sizeof *g->events);
    size_t i;
    const json_t *event;
    json_array_foreach (events, i, event) {
        const json_t *payload = json_object_get(event, "payload");
        const json_t *ack = json_object_get(event, "ack");
        if (json_is_string(payload))
            g->events[g->n++] = (struct greeting_event){
                json_is_integer(ack) ? json_integer_value(ack) : ACK_NONE,
                shared_texts_get(texts, json_string_value(payload), json_string_length(payload))};
    }
    return g;
}

void greeting_free(struct greeting *g)
{
    for (size_t i = 0; g && i < g->n; i++)
        shared_text_unref(g->events[i].payload);
    free(g);
}
