/* Texts of pg_snapshot: what is read is what was written, and what is refused is none; the way back
 * and the limits are found by comparing digits, without arithmetic. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/snapshot.h"
#include "fuzz.h"

static const char MAX[] = "18446744073709551615";

struct digits {
    const char *at;
    size_t len;
};

static int compare(struct digits a, struct digits b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return memcmp(a.at, b.at, a.len);
}

/* A number that PostgreSQL writes: no zero first, and not above 2^64 - 1. */
static bool take_digits(const char **p, struct digits *d)
{
    d->at = *p;
    d->len = strspn(*p, "0123456789");
    *p += d->len;
    return d->len > 0 && *d->at != '0' && compare(*d, (struct digits){MAX, sizeof MAX - 1}) <= 0;
}

static bool is_snapshot(const char *p)
{
    struct digits xmin, xmax, last, xid;
    if (!take_digits(&p, &xmin) || *p++ != ':' || !take_digits(&p, &xmax) || *p++ != ':' ||
        compare(xmin, xmax) > 0)
        return false;
    for (size_t n = 0; *p; n++, last = xid) {
        if (n && *p++ != ',')
            return false;
        if (!take_digits(&p, &xid) || compare(xid, xmin) < 0 || compare(xid, xmax) >= 0 ||
            (n && compare(last, xid) >= 0))
            return false;
    }
    return true;
}

static void check_way_back(const struct snapshot *s, const char *text)
{
    char *back = NULL;
    size_t size;
    FILE *out = open_memstream(&back, &size);
    fprintf(out, "%" PRIu64 ":%" PRIu64 ":", s->xmin, s->xmax);
    for (size_t i = 0; i < s->n; i++)
        fprintf(out, "%s%" PRIu64, i ? "," : "", s->xip[i]);
    fclose(out);
    expect(strcmp(back, text) == 0, "expected %s, found %s", text, back);
    free(back);
}

static void check_sees(const struct snapshot *s, uint64_t xid)
{
    bool open = false;
    for (size_t i = 0; i < s->n; i++)
        open |= s->xip[i] == xid;
    bool seen = xid < s->xmin || (xid < s->xmax && !open);
    expect(snapshot_sees(s, xid) == seen, "expected %" PRIu64 " to be %s", xid,
           seen ? "seen" : "unseen");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = text_of(data, size);
    struct snapshot *s = snapshot_parse(text);
    expect((s != NULL) == is_snapshot(text), "expected %s to be %s", text,
           s ? "refused" : "accepted");
    if (s) {
        check_way_back(s, text);
        for (size_t i = 0; i < s->n && i < 64; i++)
            for (uint64_t beside = 0; beside < 3; beside++)
                check_sees(s, s->xip[i] - 1 + beside);
        check_sees(s, s->xmin - 1);
        check_sees(s, s->xmin);
        check_sees(s, s->xmax - 1);
        check_sees(s, s->xmax);
        check_sees(s, UINT64_MAX);
    }
    free(s);
    free(text);
    return 0;
}
