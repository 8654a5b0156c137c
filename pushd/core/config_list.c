/*
 * config_list: options that hold a list of words separated by blanks or commas.
 */
#include <string.h>

#include "option.h"

static const char SEPARATORS[] = " \t,";

size_t config_word(const char *list, size_t i, const char **word)
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

bool config_list_has(const char *list, const char *word, size_t len)
{
    const char *w;
    size_t n;
    for (size_t i = 0; (n = config_word(list, i, &w)) > 0; i++)
        if (n == len && memcmp(w, word, n) == 0)
            return true;
    return false;
}

bool config_client_type(const struct config *c, const char *type, size_t len, uint64_t *grace)
{
    const char *w;
    size_t n;
    for (size_t i = 0; (n = config_word(c->client_types, i, &w)) > 0; i++)
        if (n > len && w[len] == '=' && memcmp(w, type, len) == 0)
            return duration_parse(w + len + 1, n - len - 1, grace);
    return false;
}
