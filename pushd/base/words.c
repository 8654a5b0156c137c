/* words: see words.h. */
#include "base/words.h"

#include <string.h>

static const char SEPARATORS[] = " \t,";

size_t words_get(const char *list, size_t i, const char **word)
{
    for (;; i--) {
        list += strspn(list, SEPARATORS);
        size_t len = strcspn(list, SEPARATORS);
        if (len == 0 || i == 0) {
            *word = list;
            return len;
        }
        list += len;
    }
}

bool words_have(const char *list, const char *word, size_t len)
{
    const char *w;
    size_t n;
    for (size_t i = 0; (n = words_get(list, i, &w)) > 0; i++)
        if (n == len && memcmp(w, word, n) == 0)
            return true;
    return false;
}
