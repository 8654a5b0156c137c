/*
 * config_print: --print-config and --help, made from the table of options.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "config/option.h"

/* A flag that is longer than its column has a line of its own. */
enum { COLUMNS = 80, FLAG_COLUMN = 2, TEXT_COLUMN = 27 };

void config_print(const struct config *c, char *(*mask)(const char *conninfo), FILE *out)
{
    const struct option *o;
    for (size_t i = 0; (o = option_at(i)) != NULL; i++) {
        bool secret = strcmp(o->name, "conninfo") == 0;
        char *value = secret ? mask(c->conninfo) : option_get(o, c);
        fprintf(out, "%s =%s%s\n", o->name, *value == '\0' ? "" : " ", value);
        free(value);
    }
}

static size_t print_word(const char *word, size_t len, FILE *out)
{
    size_t printed = 0;
    for (; len > 0; len--, word++)
        if (*word != '`')
            printed += fputc(*word, out) != EOF;
    return printed;
}

/* The words of a text between two columns, without its `; the line begins at column `from`. */
static void print_text(const char *text, size_t from, FILE *out)
{
    size_t at = from;
    for (size_t len; (len = strcspn(text, " ")) > 0; text += len + (text[len] == ' ')) {
        if (at > from && at + 1 + len > COLUMNS) {
            fprintf(out, "\n%*s", (int)from, "");
            at = from;
        }
        if (at > from)
            at += print_word(" ", 1, out);
        at += print_word(text, len, out);
    }
    fputc('\n', out);
}

/* What it is for (its words) [its default] */
static char *described(const struct option *o)
{
    const char *words = option_words(o);
    bool has_default = *o->fallback != '\0';
    return alloc_format("%s%s%s%s%s%s%s", o->help, words != NULL ? " (" : "",
                        words != NULL ? words : "", words != NULL ? ")" : "",
                        has_default ? " [" : "", o->fallback, has_default ? "]" : "");
}

static void print_option(const struct option *o, FILE *out)
{
    char *flag = alloc_format("--%s", o->name), *text = described(o);
    for (char *c = flag; *c != '\0'; c++)
        *c = *c == '_' ? '-' : *c;
    size_t at = FLAG_COLUMN + strlen(flag);
    fprintf(out, "%*s%s", FLAG_COLUMN, "", flag);
    if (at >= TEXT_COLUMN) {
        fputc('\n', out);
        at = 0;
    }
    fprintf(out, "%*s", (int)(TEXT_COLUMN - at), "");
    print_text(text, TEXT_COLUMN, out);
    free(text);
    free(flag);
}

static void print_group(const struct option_group *group, FILE *out)
{
    fprintf(out, "\n%s:\n", group->title);
    if (*group->note != '\0') {
        fprintf(out, "%*s", FLAG_COLUMN, "");
        print_text(group->note, FLAG_COLUMN, out);
    }
    for (size_t i = 0; i < group->count; i++)
        print_option(&group->options[i], out);
}

void config_help(FILE *out)
{
    const struct option_group *group;
    fputs("Usage: vantage6-pushd [--OPTION VALUE]...\n"
          "Delivers the events of a vantage6 database to its Socket.IO clients.\n\n"
          "Options, with [defaults]. Each may also stand in the environment\n"
          "(VANTAGE6_PUSHD_LISTEN=...) or in the file (listen = ...).\n",
          out);
    for (size_t i = 0; (group = option_group_at(i)) != NULL; i++)
        print_group(group, out);
    fputs("\nAlso:\n"
          "  --config FILE            read FILE, not /etc/vantage6-pushd.ini\n"
          "\nInstead of serving:\n"
          "  --check-config           say whether options and files are right\n"
          "  --print-config           print the options in effect, passwords masked\n"
          "  -V, --version            print the version\n"
          "  -h, --help               print this\n\n"
          "Manual: vantage6-pushd(8)\n",
          out);
}
