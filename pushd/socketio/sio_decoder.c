/* sio_decoder: see sio_decoder.h. */
#include "socketio/sio_decoder.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

/* A valid packet whose attachments have not all arrived. */
struct sio_awaiting {
    char *text;
    size_t len, bytes;
    unsigned attachments, come;
    struct frame *attached[];
};

void sio_decoder_clear(struct sio_decoder *d)
{
    struct sio_awaiting *a = d->awaiting;
    d->awaiting = NULL;
    if (!a)
        return;
    while (a->come > 0)
        frame_unref(a->attached[--a->come]);
    free(a->text);
    free(a);
}

size_t sio_decoder_size(const struct sio_decoder *d)
{
    const struct sio_awaiting *a = d->awaiting;
    return a ? sizeof *a + a->attachments * sizeof(struct frame *) +
                   a->come * sizeof(struct frame) + a->bytes
             : 0;
}

static enum sio_step fail(struct sio_decoder *d, const char **wrong, const char *why)
{
    sio_decoder_clear(d);
    *wrong = why;
    return SIO_WRONG;
}

static struct sio_awaiting *await(const char *text, size_t len, unsigned attachments)
{
    struct sio_awaiting *a = alloc(sizeof *a + attachments * sizeof(struct frame *));
    a->text = must(malloc(len));
    memcpy(a->text, text, len);
    a->len = a->bytes = len;
    a->attachments = attachments;
    return a;
}

enum sio_step sio_decode_text(struct sio_decoder *d, const struct sio_limits *limits,
                              const char *text, size_t len, struct sio_packet *out,
                              const char **wrong)
{
    if (d->awaiting)
        return fail(d, wrong, "text where attachments are awaited");
    if ((*wrong = sio_read(text, len, limits, out)) != NULL)
        return SIO_WRONG;
    if (out->attachments == 0)
        return SIO_PACKET;
    d->awaiting = await(text, len, out->attachments);
    sio_clear(out);
    return SIO_NEED_MORE;
}

/* The text was valid before, so it is now. */
static enum sio_step complete(struct sio_decoder *d, const struct sio_limits *limits,
                              struct sio_packet *out, const char **wrong)
{
    struct sio_awaiting *a = d->awaiting;
    size_t size = a->attachments * sizeof *out->attached;
    if ((*wrong = sio_read(a->text, a->len, limits, out)) != NULL)
        return fail(d, wrong, *wrong);
    out->attached = must(malloc(size));
    memcpy(out->attached, a->attached, size);
    out->bytes = a->bytes;
    a->come = 0; /* the packet owns them now */
    sio_decoder_clear(d);
    return SIO_PACKET;
}

enum sio_step sio_decode_binary(struct sio_decoder *d, const struct sio_limits *limits,
                                const void *data, size_t len, struct sio_packet *out,
                                const char **wrong)
{
    struct sio_awaiting *a = d->awaiting;
    if (!a)
        return fail(d, wrong, "binary message where none is awaited");
    if (a->bytes + len > limits->bytes)
        return fail(d, wrong, sio_too_large);
    a->attached[a->come++] = frame_new_binary(data, len);
    a->bytes += len;
    return a->come < a->attachments ? SIO_NEED_MORE : complete(d, limits, out, wrong);
}
