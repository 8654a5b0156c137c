/*
 * print_options: the table of options as JSON, for test/options-tables. No part of vantage6-pushd.
 */
#include <jansson.h>
#include <stdio.h>

#include "base/alloc.h"
#include "config/option.h"

static json_t *option_json(const struct option *o)
{
    char min[UNITS_TEXT] = "", max[UNITS_TEXT] = "";
    option_limits(o, min, max);
    return must(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s*, s:s, s:s}", "name", o->name, "value",
                          o->value, "default", o->fallback, "min", min, "max", max, "words",
                          option_words(o), "help", o->help, "more", o->more));
}

static json_t *group_json(const struct option_group *group)
{
    json_t *options = must(json_array());
    for (size_t i = 0; i < group->count; i++)
        json_array_append_new(options, option_json(&group->options[i]));
    return must(json_pack("{s:s, s:s, s:o}", "title", group->title, "note", group->note, "options",
                          options));
}

int main(void)
{
    const struct option_group *group;
    json_t *groups = must(json_array());
    for (size_t i = 0; (group = option_group_at(i)) != NULL; i++)
        json_array_append_new(groups, group_json(group));
    int status = json_dumpf(groups, stdout, JSON_INDENT(1));
    json_decref(groups);
    return status == 0 ? 0 : 1;
}
