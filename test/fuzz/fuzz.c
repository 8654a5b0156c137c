/* fuzz: see fuzz.h. */
#include "fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fuzz_fail(const char *file, int line, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "%s:%d: ", file, line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    abort();
}

uint8_t take_byte(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

unsigned take_number(struct input *in)
{
    unsigned high = take_byte(in);
    return high << 8 | take_byte(in);
}

bool take_line(struct input *in, const uint8_t **line, size_t *len)
{
    if (in->left == 0)
        return false;
    const uint8_t *newline = memchr(in->at, '\n', in->left);
    *line = in->at;
    *len = newline ? (size_t)(newline - in->at) : in->left;
    in->at += *len + (newline != NULL);
    in->left -= *len + (newline != NULL);
    return true;
}

char *text_of(const uint8_t *bytes, size_t len)
{
    char *text = malloc(len + 1);
    if (!text)
        abort();
    memcpy(text, bytes, len);
    text[len] = '\0';
    size_t visible = strlen(text);
    if (visible == len)
        return text;
    char *exact = strdup(text);
    free(text);
    return exact;
}

char *take_text(struct input *in)
{
    char *text = text_of(in->at ? in->at : (const uint8_t *)"", in->left);
    in->left = 0;
    return text;
}

bool is_one_line(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

char *read_vector_file(const char *name)
{
    char path[512], *text = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, VECTORS "/%s", name);
    FILE *in = fopen(path, "re");
    expect(in != NULL, "expected the file %s, found none", path);
    expect(getdelim(&text, &size, '\0', in) > 0, "expected a text in %s, found nothing", path);
    fclose(in);
    return text;
}
