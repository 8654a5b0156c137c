/*
 * config_warn: options that are valid, but let others in.
 */
#ifndef PUSHD_CONFIG_WARN_H
#define PUSHD_CONFIG_WARN_H

#include "config/config.h"

/* Calls warn with one line for each of them. */
void config_warn(const struct config *c, void (*warn)(const char *text));

#endif
