/*
 * The head of an answer, with what the client sent echoed into it: whatever that is, the head is
 * one, with the lines that it should have and no other. And which origins are allowed.
 *
 * An input is flags (two bytes), then lines: origin, request headers, list of origins.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engineio/engine.h"
#include "fuzz.h"
#include "http/answer_head.h"

/* The value of the one line of this name; NULL if there is none. */
static char *header(const char *head, const char *name)
{
    char *value = NULL;
    size_t len = strlen(name);
    for (const char *p = strstr(head, "\r\n"); p; p = strstr(p, "\r\n")) {
        p += 2;
        if (strncasecmp(p, name, len) != 0 || p[len] != ':' || p[len + 1] != ' ')
            continue;
        expect(!value, "expected %s once, found %s", name, head);
        value = strndup(p + len + 2, (size_t)(strstr(p, "\r\n") - p) - len - 2);
    }
    return value;
}

static void check_form(const char *head, size_t len)
{
    expect(len < ANSWER_HEAD_MAX && strlen(head) == len, "expected %zu bytes, found %zu", len,
           strlen(head));
    const char *end = strstr(head, "\r\n\r\n");
    expect(end && end + 4 == head + len, "expected one end, found %s", head);
    for (const char *p = head; *p; p++)
        expect((unsigned char)*p >= ' ' || strncmp(p, "\r\n", 2) == 0 ||
                   (*p == '\n' && p > head && p[-1] == '\r'),
               "expected no control character, found %d", *p);
}

static void check_value(const char *head, const char *name, const char *expected)
{
    char *found = header(head, name);
    expect((found != NULL) == (expected != NULL) && (!found || strcmp(found, expected) == 0),
           "%s: expected %s, found %s", name, expected ? expected : "none", found ? found : "none");
    free(found);
}

static bool echoed(const char *text)
{
    return text && strlen(text) <= 256 && is_one_line(text);
}

static void check_head(const struct answer *a)
{
    char *head = malloc(ANSWER_HEAD_MAX), number[32], start[32];
    size_t len = answer_head(head, a);
    check_form(head, len);
    snprintf(start, sizeof start, "HTTP/1.1 %d ", a->status);
    snprintf(number, sizeof number, "%zu", a->len);
    expect(strncmp(head, start, strlen(start)) == 0, "expected %s, found %s", start, head);
    bool origin = echoed(a->origin);
    check_value(head, "Content-Type", a->type);
    check_value(head, "Content-Length", a->status == 204 ? NULL : number);
    check_value(head, "Access-Control-Allow-Origin", origin ? a->origin : NULL);
    check_value(head, "Access-Control-Allow-Credentials", origin ? "true" : NULL);
    check_value(head, "Access-Control-Allow-Headers",
                origin && a->preflight && echoed(a->request_headers) ? a->request_headers : NULL);
    check_value(head, "Date", a->date);
    check_value(head, "Connection", a->close ? "close" : NULL);
    free(head);
}

/* In the list as a word of its own, by cutting a copy of it. */
static bool listed(const char *list, const char *origin)
{
    char *copy = strdup(list), *save;
    bool found = !origin;
    for (char *word = strtok_r(copy, " \t,", &save); word; word = strtok_r(NULL, " \t,", &save))
        found |= strcmp(word, "*") == 0 || (origin && strcmp(word, origin) == 0);
    free(copy);
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 204, 400, 403, 404, 411, 414, 431, 505, 777};
    static const char *const types[] = {NULL, "text/html", "application/json",
                                        "text/plain; charset=UTF-8"};
    struct input in = {data, size};
    unsigned flags = take_number(&in);
    char date[ANSWER_DATE];
    char *texts[3] = {NULL, NULL, NULL};
    const uint8_t *line;
    size_t len;
    for (int i = 0; i < 3 && take_line(&in, &line, &len); i++)
        texts[i] = text_of(line, len);
    struct answer a = {.status = statuses[flags % 10],
                       .type = types[flags >> 4 & 3],
                       .len = flags & 0x40 ? SIZE_MAX : flags,
                       .origin = texts[0],
                       .preflight = flags & 0x80,
                       .request_headers = texts[1],
                       .close = flags & 0x100,
                       .date = flags & 0x200 ? date : NULL};
    answer_date(date, (time_t)flags << (flags & 31));
    check_head(&a);
    const char *list = texts[2] ? texts[2] : "";
    expect(engine_origin_allowed(list, texts[0]) == listed(list, texts[0]),
           "%s in %s: expected the other answer", texts[0] ? texts[0] : "none", list);
    for (int i = 0; i < 3; i++)
        free(texts[i]);
    return 0;
}
