/*
 * conninfo_mask: see conninfo_mask.h. In doubt more is masked, never less.
 */
#include "config/conninfo_mask.h"
#include "base/alloc.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MASK "***"

static const char BLANKS[] = " \t\n\r\f\v";

/* password, sslpassword, oauth_client_secret, scram_client_key, ...; a name may hide behind %70. */
static bool is_secret(const char *name, size_t len)
{
    static const char *const words[] = {"password", "secret", "scram", "%"};
    for (size_t w = 0; w < sizeof words / sizeof *words; w++)
        for (size_t n = strlen(words[w]), i = 0; i + n <= len; i++)
            if (strncasecmp(name + i, words[w], n) == 0)
                return true;
    return false;
}

/* The end of a value of the form a=b, a='b c': NULL if its quote does not end. */
static const char *value_end(const char *s)
{
    bool quoted = *s == '\'';
    for (s += quoted; *s != '\0'; s++) {
        if (*s == '\\' && s[1] != '\0')
            s++;
        else if (quoted ? *s == '\'' : strchr(BLANKS, *s) != NULL)
            return s + quoted;
    }
    return quoted ? NULL : s;
}

static bool mask_pairs(const char *s, FILE *out)
{
    const char *separator = "";
    for (s += strspn(s, BLANKS); *s != '\0'; s += strspn(s, BLANKS)) {
        const char *name = s;
        size_t len = strcspn(s, " \t\n\r\f\v=");
        s += len;
        s += strspn(s, BLANKS);
        if (len == 0 || *s != '=')
            return false;
        s++;
        s += strspn(s, BLANKS);
        const char *end = value_end(s);
        if (end == NULL)
            return false;
        fprintf(out, "%s%.*s=", separator, (int)len, name);
        if (is_secret(name, len))
            fputs(MASK, out);
        else
            fprintf(out, "%.*s", (int)(end - s), s);
        s = end;
        separator = " ";
    }
    return true;
}

static void mask_query(const char *s, FILE *out)
{
    while (*s != '\0') {
        size_t name = strcspn(s, "=&"), all = strcspn(s, "&");
        if (name < all && is_secret(s, name))
            fprintf(out, "%.*s=" MASK, (int)name, s);
        else
            fprintf(out, "%.*s", (int)all, s);
        s += all;
        if (*s == '&')
            fputc(*s++, out);
    }
}

/*
 * Masked is all between the first colon and the last @ before the query: a password should have no
 * @ or / of its own, but is secret also when it has. A ? in it leaves nothing to rely on.
 */
static bool mask_uri(const char *uri, FILE *out)
{
    const char *start = strstr(uri, "://") + 3;
    const char *query = start + strcspn(start, "?");
    const char *colon = memchr(start, ':', (size_t)(query - start));
    const char *at = query;
    while (at > start && *at != '@')
        at--;
    if (*at != '@' && strcspn(start, "@") < strcspn(start, "/"))
        return false;
    if (*at == '@' && colon != NULL && colon < at) {
        fprintf(out, "%.*s:" MASK, (int)(colon - uri), uri);
        uri = at;
    }
    fprintf(out, "%.*s", (int)(query - uri), uri);
    if (*query == '?') {
        fputc('?', out);
        mask_query(query + 1, out);
    }
    return true;
}

char *conninfo_mask(const char *conninfo)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    bool good = true;
    if (out == NULL)
        return NULL;
    if (strncmp(conninfo, "postgresql://", 13) == 0 || strncmp(conninfo, "postgres://", 11) == 0)
        good = mask_uri(conninfo, out);
    else
        good = mask_pairs(conninfo, out);
    if (fclose(out) == 0 && good)
        return text;
    free(text);
    return alloc_text(MASK);
}
