/* sid: see sid.h. */
#include "base/sid.h"
#include "base/base64.h"

#include <openssl/rand.h>
#include <stdlib.h>

void sid_new(char *sid)
{
    unsigned char random[SID_LEN];
    if (RAND_bytes(random, sizeof random) != 1)
        abort();
    for (int i = 0; i < SID_LEN; i++)
        sid[i] = base64_digits[BASE64URL][random[i] & 63];
    sid[SID_LEN] = '\0';
}
