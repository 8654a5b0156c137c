/*
 * sio_decoder: joins the messages of one session to whole Socket.IO packets with attachments.
 *
 * A packet with attachments is complete when all have arrived. Until then a text is an error;
 * otherwise a binary message is. Packets of Engine.IO (pings) are not passed here. The state
 * belongs to the session, not to a namespace.
 *
 * limits.bytes bounds the waiting packet and its attachments together. Its JSON is checked when it
 * arrives but kept as text, because a tree would take many times its size. Without a waiting packet
 * the decoder is one pointer.
 */
#ifndef PUSHD_SIO_DECODER_H
#define PUSHD_SIO_DECODER_H

#include "socketio/sio.h"

struct sio_decoder {
    struct sio_awaiting *awaiting; /* NULL = none is awaited, as at the beginning */
};

enum sio_step { SIO_NEED_MORE, SIO_PACKET, SIO_WRONG };

/*
 * Takes a message (of a text, the bytes after the Engine.IO type). SIO_PACKET: *out is a complete
 * packet; the caller must call sio_clear(). SIO_WRONG: *wrong says why (a static text); close the
 * session. The decoder awaits nothing then.
 */
enum sio_step sio_decode_text(struct sio_decoder *d, const struct sio_limits *limits,
                              const char *text, size_t len, struct sio_packet *out,
                              const char **wrong);
enum sio_step sio_decode_binary(struct sio_decoder *d, const struct sio_limits *limits,
                                const void *data, size_t len, struct sio_packet *out,
                                const char **wrong);
/* The bytes that it keeps; 0 if it awaits nothing. */
size_t sio_decoder_size(const struct sio_decoder *d);
/* The session has ended: the awaited attachments will not arrive. */
void sio_decoder_clear(struct sio_decoder *d);

#endif
