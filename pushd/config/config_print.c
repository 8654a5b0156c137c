/*
 * config_print: --print-config and --help, made from the table of options.
 */
#include <stdlib.h>
#include <string.h>

#include "config/option.h"

enum { FLAG_SIZE = 64, FLAG_COLUMN = 24 };

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

static void print_flag(const struct option *o, FILE *out)
{
    char flag[FLAG_SIZE];
    snprintf(flag, sizeof flag, "--%s", o->name);
    for (char *c = flag; *c != '\0'; c++)
        *c = *c == '_' ? '-' : *c;
    fprintf(out, "  %-*s %s", FLAG_COLUMN, flag, o->help);
    if (*o->fallback != '\0')
        fprintf(out, " [%s]", o->fallback);
    fputc('\n', out);
}

void config_help(FILE *out)
{
    const struct option *o;
    fputs("Usage: vantage6-pushd [--OPTION VALUE]...\n"
          "Delivers the events of a vantage6 database to its Socket.IO clients.\n\n"
          "Options, with [defaults]. Each may also stand in the environment\n"
          "(VANTAGE6_PUSHD_LISTEN=...) or in the file (listen = ...):\n",
          out);
    for (size_t i = 0; (o = option_at(i)) != NULL; i++)
        print_flag(o, out);
    fputs("\nWhat to do instead of serving:\n"
          "  --config FILE            read FILE, not /etc/vantage6-pushd.ini\n"
          "  --check-config           say whether options and files are right, and end\n"
          "  --print-config           print the options in effect, passwords masked, and end\n"
          "  -V, --version            print the version and end\n"
          "  -h, --help               print this and end\n\n"
          "Manual: vantage6-pushd(8)\n",
          out);
}
