/*
 * config_check: what options must be together, beyond what each must be by itself.
 */
#ifndef PUSHD_CONFIG_CHECK_H
#define PUSHD_CONFIG_CHECK_H

#include "config/config.h"

/* True, or false with one line in err. */
bool config_check(const struct config *c, char *err, size_t errlen);

#endif
