/*
 * warnings: what is valid in the configuration and its surroundings, but lets others in.
 */
#ifndef PUSHD_WARNINGS_H
#define PUSHD_WARNINGS_H

#include "config/config.h"

/* Calls warn with one line for each. Connects to nothing. */
void warnings_find(const struct config *config, void (*warn)(const char *text));

#endif
