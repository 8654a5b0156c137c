/* expect: see expect.h. */
#include "expect.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void expect_failed(const char *file, int line, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "%s:%d: ", file, line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    abort();
}
