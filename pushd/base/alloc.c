/* alloc: see alloc.h. */
#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

void *alloc(size_t size)
{
    return must(calloc(1, size));
}

void *alloc_resize(void *p, size_t size)
{
    return must(realloc(p, size));
}

char *alloc_text(const char *text)
{
    return text ? must(strdup(text)) : NULL;
}

char *alloc_text_of(const char *text, size_t len)
{
    return must(strndup(text, len));
}

char *alloc_format(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    return text;
}
