/*
 * capture: what is written to standard error.
 */
#ifndef UNIT_CAPTURE_H
#define UNIT_CAPTURE_H

extern char written[32768];

/* What f() writes to standard error, in written. */
void capture(void (*f)(void));

#endif
