/*
 * sio_decoder: whole Socket.IO packets from the messages of one session.
 *
 * A packet with attachments is complete when they have come. Until then any text is an error, and
 * otherwise any binary message is; packets of Engine.IO (pings) do not come here. This state is the
 * session's, not the namespace's.
 *
 * What waits is bounded by limits.bytes for the packet and its attachments together, and costs no
 * more than that: its JSON is checked when it comes, but kept as text, since a tree would take many
 * times its size. A decoder that awaits nothing is one pointer.
 */
#ifndef PUSHD_SIO_DECODER_H
#define PUSHD_SIO_DECODER_H

#include "socketio/sio.h"

struct sio_decoder {
    struct sio_awaiting *awaiting; /* NULL = nothing is awaited; as begun with */
};

enum sio_step { SIO_NEED_MORE, SIO_PACKET, SIO_WRONG };

/*
 * Feed a message (of text: the bytes after the Engine.IO type). SIO_PACKET: *out is a complete
 * packet, which the caller ends with sio_clear(). SIO_WRONG: *wrong says why (a static text); the
 * session is to be closed, and the decoder awaits nothing.
 */
enum sio_step sio_decode_text(struct sio_decoder *d, const struct sio_limits *limits,
                              const char *text, size_t len, struct sio_packet *out,
                              const char **wrong);
enum sio_step sio_decode_binary(struct sio_decoder *d, const struct sio_limits *limits,
                                const void *data, size_t len, struct sio_packet *out,
                                const char **wrong);
/* The session has ended: what was awaited will not come. */
void sio_decoder_clear(struct sio_decoder *d);

#endif
