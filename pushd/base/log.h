/*
 * log: writes log lines to standard error, as text or as JSON.
 *
 * A line is a sentence and then key=value pairs. Never pass a secret: no token, no password of a
 * conninfo, no payload.
 */
#ifndef PUSHD_LOG_H
#define PUSHD_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* Sets the level and the format. The default is LOG_INFO and text. */
void log_setup(enum log_level level, bool json);

/* From now on, writing never waits: if nobody reads standard error, lines are lost and counted, and
 * the log says how many. */
void log_never_wait(void);
/* The number of lines that were lost. */
unsigned long long log_lost(void);
/* Writes what had to wait, if it can be written now. Call it regularly. */
void log_catch_up(void);

/* Writes one line. Control characters in the message are escaped. */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)

#endif
