/* characters: which characters HTTP allows where (RFC 9110, 5.5 and 5.6.2; RFC 3986). */
#ifndef PUSHD_CHARACTERS_H
#define PUSHD_CHARACTERS_H

#include <stdint.h>

enum {
    IN_TOKEN = 1,  /* in the name of a header or method */
    IN_VALUE = 2,  /* in the value of a header, with the blanks in it */
    IN_TARGET = 4, /* in a request target: visible ASCII; browsers leave some of it raw that RFC
                      3986 wants encoded */
    IN_HOST = 8    /* in a name of a host */
};

/* The sum of the above for each character. */
extern const uint8_t characters[256];

/* The first character from text to end that is not in one of these places; end if all are. */
static inline const char *characters_run(const char *text, const char *end, unsigned place)
{
    while (text < end && characters[(uint8_t)*text] & place)
        text++;
    return text;
}

#endif
