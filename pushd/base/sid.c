/* sid: see sid.h. */
#include "base/sid.h"

#include <openssl/rand.h>
#include <stdlib.h>

void sid_new(char *sid)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char random[SID_LEN];
    if (RAND_bytes(random, sizeof random) != 1)
        abort();
    for (int i = 0; i < SID_LEN; i++)
        sid[i] = digits[random[i] & 63];
    sid[SID_LEN] = '\0';
}
