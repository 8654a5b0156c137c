/*
 * config: see config.h. Where values come from; what they may be is in option.c and option_table.c.
 */
#include "config/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "base/words.h"
#include "config/config_check.h"
#include "config/option.h"

#define DEFAULT_FILE "/etc/vantage6-pushd.ini"
#define ENVIRONMENT "VANTAGE6_PUSHD_"

enum { NAME_SIZE = 128, REASON_SIZE = 512, OPTIONS_MAX = 128 };

/* Where the errors go; each is one line that begins with the place of the mistake. */
struct loading {
    struct config *config;
    char *err;
    size_t errlen;
};

static bool fail(struct loading *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(struct loading *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(l->err, l->errlen, format, args);
    va_end(args);
    return false;
}

static bool set(struct loading *l, const char *where, const struct option *o, const char *text)
{
    char reason[REASON_SIZE];
    if (option_set(o, l->config, text, reason, sizeof reason))
        return true;
    return fail(l, "%s: %s", where, reason);
}

static bool load_defaults(struct loading *l)
{
    const struct option *o;
    for (size_t i = 0; (o = option_at(i)) != NULL; i++)
        if (!set(l, o->name, o, o->fallback))
            return false;
    return true;
}

/* --- the file ---
 * Read here and not by inih: as Debian builds that, it cuts a line at 200 bytes and a value at "
 * ;", and so would cut a conninfo or a password without a word. */

static char *trim(char *text)
{
    static const char blanks[] = " \t\r\n";
    text += strspn(text, blanks);
    size_t n = strlen(text);
    while (n > 0 && strchr(blanks, text[n - 1]) != NULL)
        n--;
    text[n] = '\0';
    return text;
}

/* Messages quote the name and never the value: it may be a password. */
static bool load_line(struct loading *l, const char *where, char *line,
                      const struct option *seen[OPTIONS_MAX])
{
    const char *nearest = "";
    size_t i = 0;
    line = trim(line);
    if (*line == '\0' || *line == '#' || *line == ';')
        return true;
    if (*line == '[')
        return fail(l,
                    "%s: expected name = value, found a section: this file has none, take the "
                    "line out",
                    where);
    char *equals = strchr(line, '=');
    if (equals == NULL)
        return fail(l, "%s: expected name = value, found no =: write it so, or # before a comment",
                    where);
    *equals = '\0';
    const char *name = trim(line);
    const struct option *o = option_find(name, &nearest);
    if (o == NULL)
        return fail(l, "%s: expected the name of an option, found \"%.64s\": did you mean \"%s\"?",
                    where, name, nearest);
    for (; i < OPTIONS_MAX - 1 && seen[i] != NULL; i++)
        if (seen[i] == o)
            return fail(l, "%s: expected each option once, found %s again: take one out", where,
                        o->name);
    seen[i] = o;
    return set(l, where, o, trim(equals + 1));
}

static bool load_file(struct loading *l, const char *path, bool must_exist)
{
    const struct option *seen[OPTIONS_MAX] = {NULL};
    char where[NAME_SIZE + 4096];
    char *line = NULL;
    size_t size = 0;
    bool good = true;
    FILE *file = fopen(path, "re");
    if (file == NULL && errno == ENOENT && !must_exist)
        return true;
    if (file == NULL)
        return fail(l,
                    "%s: expected a configuration file, found: %s: correct --config or the "
                    "file's permissions",
                    path, strerror(errno));
    for (int number = 1; good && getline(&line, &size, file) >= 0; number++) {
        snprintf(where, sizeof where, "%s:%d", path, number);
        good = load_line(l, where, line, seen);
    }
    if (good && ferror(file))
        good = fail(l, "%s: expected a configuration file, found: %s: correct --config", path,
                    strerror(errno));
    free(line);
    fclose(file);
    return good;
}

/* --- the environment --- */

/* What Kubernetes puts into the environment of every container beside a service "vantage6-pushd".
 */
static bool is_service_link(const char *name)
{
    return strncmp(name, "SERVICE_", 8) == 0 || strncmp(name, "PORT_", 5) == 0 ||
           strncmp(name, "PORT=", 5) == 0;
}

static void change_case(char *name, char from, char to)
{
    for (; *name != '\0'; name++)
        if (*name >= from && *name < from + 26)
            *name = (char)(*name - from + to);
}

static bool load_variable(struct loading *l, const char *name, const char *value)
{
    char option[NAME_SIZE], where[NAME_SIZE + sizeof ENVIRONMENT];
    const char *nearest = "";
    snprintf(option, sizeof option, "%.*s", (int)strcspn(name, "="), name);
    snprintf(where, sizeof where, "%s%s", ENVIRONMENT, option);
    if (strcmp(option, "CONFIG") == 0)
        return true;
    change_case(option, 'A', 'a');
    const struct option *o = option_find(option, &nearest);
    snprintf(option, sizeof option, "%s", o != NULL ? o->name : nearest);
    change_case(option, 'a', 'A');
    if (o != NULL && strcmp(where + strlen(ENVIRONMENT), option) == 0)
        return set(l, where, o, value);
    return fail(l, "%s: expected the name of an option, found no such one: did you mean %s%s?",
                where, ENVIRONMENT, option);
}

static bool load_environment(struct loading *l, char **variables)
{
    for (; variables != NULL && *variables != NULL; variables++) {
        const char *name = *variables + strlen(ENVIRONMENT);
        const char *equals = strchr(*variables, '=');
        if (strncmp(*variables, ENVIRONMENT, strlen(ENVIRONMENT)) != 0 || equals == NULL ||
            is_service_link(name))
            continue;
        if (!load_variable(l, name, equals + 1))
            return false;
    }
    return true;
}

static const char *environment_value(char **variables, const char *name)
{
    size_t len = strlen(name);
    for (; variables != NULL && *variables != NULL; variables++)
        if (strncmp(*variables, name, len) == 0 && (*variables)[len] == '=')
            return *variables + len + 1;
    return NULL;
}

/* --- the command line --- */

/* A flag taken apart: --name=value, --name value, -h. */
struct flag {
    char name[NAME_SIZE]; /* with _ for - */
    const char *value;    /* what follows = or NULL */
};

static bool read_flag(const char *argument, struct flag *f)
{
    if (strncmp(argument, "--", 2) != 0 || argument[2] == '\0')
        return false;
    size_t len = strcspn(argument + 2, "=");
    if (len >= sizeof f->name)
        len = sizeof f->name - 1;
    memcpy(f->name, argument + 2, len);
    f->name[len] = '\0';
    for (char *c = f->name; *c != '\0'; c++)
        *c = *c == '-' ? '_' : *c == '_' ? '-' : *c; /* --ping_interval is not a flag */
    f->value = argument[2 + len] == '=' ? argument + 3 + len : NULL;
    return true;
}

static const struct {
    const char *brief, *name;
    int action;
} ACTIONS[] = {
    {"--check-config", "--check-config", CONFIG_CHECK},
    {"--print-config", "--print-config", CONFIG_PRINT},
    {"-V", "--version", CONFIG_VERSION},
    {"-h", "--help", CONFIG_HELP},
};

static bool read_action(const char *argument, struct config *c)
{
    for (size_t i = 0; i < sizeof ACTIONS / sizeof *ACTIONS; i++) {
        if (strcmp(argument, ACTIONS[i].name) != 0 && strcmp(argument, ACTIONS[i].brief) != 0)
            continue;
        if ((int)c->action < ACTIONS[i].action) /* of several, the one that needs least */
            c->action = ACTIONS[i].action;
        return true;
    }
    return false;
}

static bool fail_unknown_flag(struct loading *l, const char *where, const char *nearest)
{
    char flag[NAME_SIZE];
    snprintf(flag, sizeof flag, "%s", nearest);
    for (char *c = flag; *c != '\0'; c++)
        *c = *c == '_' ? '-' : *c;
    return fail(l, "%s: expected an option, found no such one: did you mean --%s?", where, flag);
}

/* With file: only look for --config and for what to do. Without: set the options. */
static bool load_flags(struct loading *l, int argc, char **argv, const char **file)
{
    for (int i = 1; i < argc; i++) {
        struct flag f;
        const char *argument = argv[i], *nearest = "";
        char where[NAME_SIZE];
        snprintf(where, sizeof where, "%.*s", (int)strcspn(argument, "="), argument);
        if (read_action(argument, l->config))
            continue;
        if (!read_flag(argument, &f))
            return fail(l,
                        "expected options, found the argument \"%s\": write --name value, and "
                        "quote values that hold blanks",
                        where);
        bool is_file = strcmp(f.name, "config") == 0;
        const struct option *o = option_find(f.name, &nearest);
        if (o == NULL && !is_file)
            return fail_unknown_flag(l, where, nearest);
        /* Another option is no value, and may hold a password. */
        if (f.value == NULL && i + 1 < argc && strncmp(argv[i + 1], "--", 2) != 0)
            f.value = argv[++i];
        if (f.value == NULL)
            return fail(l, "%s: expected a value after it, found none: give one", where);
        if (is_file && file != NULL)
            *file = f.value;
        if (!is_file && file == NULL && !set(l, where, o, f.value))
            return false;
    }
    return true;
}

/* --- all together --- */

/* HQ's own containers have these two: they count where no other source of keys is given. */
static bool load_keycloak(struct loading *l, char **variables)
{
    static const char *const names[][2] = {{"KEYCLOAK_URL", "keycloak_url"},
                                           {"KEYCLOAK_REALM", "keycloak_realm"}};
    struct config *c = l->config;
    const char *nearest;
    if (*c->jwks_file != '\0' || *c->jwks_url != '\0' || *c->jwt_secret_file != '\0')
        return true;
    for (size_t i = 0; i < 2; i++) {
        const char *value = environment_value(variables, names[i][0]);
        const char *given = i == 0 ? c->keycloak_url : c->keycloak_realm;
        if (value != NULL && *given == '\0' &&
            !set(l, names[i][0], option_find(names[i][1], &nearest), value))
            return false;
    }
    return true;
}

static bool load_all(struct loading *l, int argc, char **argv, char **variables)
{
    const char *file = environment_value(variables, ENVIRONMENT "CONFIG");
    if (!load_defaults(l) || !load_flags(l, argc, argv, &file))
        return false;
    if (l->config->action == CONFIG_HELP || l->config->action == CONFIG_VERSION)
        return true; /* both must answer when nothing else is right */
    if (!load_file(l, file != NULL ? file : DEFAULT_FILE, file != NULL) ||
        !load_environment(l, variables) || !load_flags(l, argc, argv, NULL) ||
        !load_keycloak(l, variables))
        return false;
    return l->config->action == CONFIG_PRINT || config_check(l->config, l->err, l->errlen);
}

int config_load(struct config *c, int argc, char **argv, char **environ, char *err, size_t errlen)
{
    struct loading l = {c, err, errlen};
    memset(c, 0, sizeof *c);
    if (load_all(&l, argc, argv, environ))
        return 0;
    for (; *err != '\0'; err++) /* what was found is quoted, and may be anything */
        if ((unsigned char)*err < ' ' || *err == 0x7f)
            *err = '?';
    return -1;
}

void config_free(struct config *c)
{
    const struct option *o;
    for (size_t i = 0; (o = option_at(i)) != NULL; i++)
        option_clear(o, c);
}

bool config_client_type(const struct config *c, const char *type, size_t len, uint64_t *grace)
{
    const char *w;
    size_t n;
    for (size_t i = 0; (n = words_get(c->client_types, i, &w)) > 0; i++)
        if (n > len && w[len] == '=' && memcmp(w, type, len) == 0)
            return units_parse(units_duration, w + len + 1, n - len - 1, grace);
    return false;
}
