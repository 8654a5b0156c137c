/*
 * Options from a file, the environment and flags. What is accepted is within the limits of the
 * table and, printed, reads back the same; what is refused is said in one line; and the password of
 * the conninfo is in neither.
 *
 * An input begins with the place of the conninfo that has the password: f, in the file; e, in the
 * environment; z, the last argument; else the first. Then come lines: "-..." and ">..." (without
 * the >) are arguments, "+NAME=value" a variable (VANTAGE6_PUSHD_ is put before NAME), all else is
 * a line of the file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/option.h"
#include "fuzz.h"

enum { WORDS_MAX = 64 };
#define SECRET "~~~"
static const char CONNINFO[] = "host=db password=" SECRET;
static const char PREFIX[] = "VANTAGE6_PUSHD_";

/* One configuration as it is given. */
struct given {
    FILE *file;
    char path[64];
    char *argv[WORDS_MAX], *variables[WORDS_MAX];
    int argc, n;
    bool impossible; /* the file has a number that no option takes */
};

static void begin(struct given *g)
{
    int fd = memfd_create("config", MFD_CLOEXEC);
    expect(fd >= 0, "expected a file in memory");
    memset(g, 0, sizeof *g);
    g->file = fdopen(fd, "w");
    snprintf(g->path, sizeof g->path, "/proc/self/fd/%d", fd);
    g->argv[g->argc++] = strdup("fuzz");
    g->argv[g->argc++] = strdup("--config");
    g->argv[g->argc++] = strdup(g->path);
}

static int load(struct given *g, struct config *c, char *err, size_t errlen)
{
    fflush(g->file);
    return config_load(c, g->argc, g->argv, g->variables, err, errlen);
}

static void end(struct given *g)
{
    for (int i = 0; i < g->argc; i++)
        free(g->argv[i]);
    for (int i = 0; i < g->n; i++)
        free(g->variables[i]);
    fclose(g->file);
}

static char *joined(const char *a, const char *b)
{
    char *text = malloc(strlen(a) + strlen(b) + 1);
    strcpy(text, a);
    return strcat(text, b);
}

static void give_secret(struct given *g, char place)
{
    if (place == 'f')
        fprintf(g->file, "conninfo = %s\n", CONNINFO);
    else if (place == 'e')
        g->variables[g->n++] = joined("VANTAGE6_PUSHD_CONNINFO=", CONNINFO);
    else
        g->argv[g->argc++] = joined("--conninfo=", CONNINFO);
}

/* A number that is too long must not come out as a short one. */
static bool is_impossible(const char *line)
{
    char *name = strndup(line, strcspn(line, " ="));
    const char *value = line + strlen(name), *nearest;
    const struct option *o = option_find(name, &nearest);
    value += strspn(value, " =");
    free(name);
    return o && o->kind != OPTION_TEXT && strspn(value, "0123456789") > 12;
}

static void give_line(struct given *g, char *line)
{
    if ((*line == '-' || *line == '>') && g->argc < WORDS_MAX - 2) {
        g->argv[g->argc++] = strdup(line + (*line == '>'));
    } else if (*line == '+' && g->n < WORDS_MAX - 1) {
        g->variables[g->n++] = joined(PREFIX, line + 1);
    } else {
        g->impossible |= is_impossible(line);
        fputs(line, g->file);
        fputc('\n', g->file);
    }
}

/* The edge's, which knows libpq, is tested with it. */
static char *mask(const char *conninfo)
{
    return strdup(strstr(conninfo, SECRET) ? "***" : conninfo);
}

static char *printed(const struct config *c)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    config_print(c, mask, out);
    fclose(out);
    return text;
}

static void check_limits(const struct option *o, const struct config *c)
{
    const void *at = (const char *)c + o->offset;
    uint64_t n = o->kind == OPTION_TEXT       ? strlen(*(char *const *)at)
                 : o->kind == OPTION_DURATION ? *(const uint64_t *)at
                 : o->kind == OPTION_SIZE     ? *(const size_t *)at
                                              : (uint64_t) * (const int *)at;
    if (o->kind == OPTION_CHOICE || o->kind == OPTION_SWITCH)
        return;
    expect(n >= o->min && n <= o->max, "%s: expected %llu to %llu, found %llu", o->name,
           (unsigned long long)o->min, (unsigned long long)o->max, (unsigned long long)n);
    expect(o->kind != OPTION_TEXT || is_one_line(*(char *const *)at), "%s: control character",
           o->name);
}

/* A file has no blanks around a value. */
static char *trimmed(char *text)
{
    static const char blanks[] = " \t\r\n";
    size_t skip = strspn(text, blanks), n = strlen(text + skip);
    memmove(text, text + skip, n + 1);
    while (n && strchr(blanks, text[n - 1]))
        text[--n] = '\0';
    return text;
}

/* The file that --print-config makes gives the same values, but for masked passwords. */
static void check_way_back(const struct config *c, const char *text)
{
    struct given g;
    struct config again;
    const struct option *o;
    char err[1024] = "";
    begin(&g);
    fputs(text, g.file);
    g.argv[g.argc++] = strdup("--print-config"); /* what is checked together may be wrong */
    expect(!load(&g, &again, err, sizeof err), "%s: %s", text, err);
    for (size_t i = 0; (o = option_at(i)); i++) {
        char *before = trimmed(option_get(o, c)), *after = option_get(o, &again);
        expect(strcmp(before, after) == 0 || strcmp(o->name, "conninfo") == 0,
               "%s: expected %s, found %s", o->name, before, after);
        free(before);
        free(after);
    }
    config_free(&again);
    end(&g);
}

static void check_loaded(const struct config *c)
{
    const struct option *o;
    for (size_t i = 0; (o = option_at(i)); i++)
        check_limits(o, c);
    if (c->action == CONFIG_HELP || c->action == CONFIG_VERSION)
        return;
    char *text = printed(c);
    expect(!strstr(text, SECRET), "expected no password, found %s", text);
    check_way_back(c, text);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct given g;
    struct config c;
    char err[1024] = "";
    char *text = text_of(data, size), *save = NULL;
    for (char *p = text; (p = strchr(p, '~'));)
        *p = '.'; /* only the password has one */
    begin(&g);
    char place = *text;
    if (place != 'z')
        give_secret(&g, place);
    for (char *line = strtok_r(*text ? text + 1 : text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save))
        give_line(&g, line);
    if (place == 'z')
        give_secret(&g, place);
    int status = load(&g, &c, err, sizeof err);
    expect((status != 0) == (*err != '\0'), "expected a message with failure only: %s", err);
    expect(is_one_line(err) && !strstr(err, SECRET), "expected one line without password: %s", err);
    expect(!*err || strstr(err, "expected"), "expected to read what was expected: %s", err);
    bool read = status == 0 && c.action != CONFIG_HELP && c.action != CONFIG_VERSION;
    expect(!read || !g.impossible, "expected a number that is too long to be refused");
    if (status == 0)
        check_loaded(&c);
    config_free(&c);
    end(&g);
    free(text);
    return 0;
}
