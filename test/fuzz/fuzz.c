/* fuzz: see fuzz.h. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

size_t utf8_character(const uint8_t *p, const uint8_t *end)
{
    uint8_t low = 0x80, high = 0xbf;
    if (p == end || *p < 0x80)
        return p < end;
    if (*p < 0xc2 || *p > 0xf4)
        return 0;
    size_t n = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
    low = *p == 0xe0 ? 0xa0 : *p == 0xf0 ? 0x90 : low;
    high = *p == 0xed ? 0x9f : *p == 0xf4 ? 0x8f : high;
    for (size_t i = 1; i < n; i++, low = 0x80, high = 0xbf)
        if (i >= (size_t)(end - p) || p[i] < low || p[i] > high)
            return 0;
    return n;
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
