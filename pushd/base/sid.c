/* sid: see sid.h. */
#include "base/sid.h"
#include "base/base64.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

void sid_new(char *sid)
{
    unsigned char random[SID_LEN];
    if (RAND_bytes(random, sizeof random) != 1)
        abort();
    for (int i = 0; i < SID_LEN; i++)
        sid[i] = base64_digits[BASE64URL][random[i] & 63];
    sid[SID_LEN] = '\0';
}

bool sid_plausible(const char *text)
{
    return strlen(text) == SID_LEN && strspn(text, base64_digits[BASE64URL]) == SID_LEN;
}
