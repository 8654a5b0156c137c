/*
 * conninfo_mask: a libpq connection string without its passwords, to be shown.
 */
#ifndef PUSHD_CONNINFO_MASK_H
#define PUSHD_CONNINFO_MASK_H

/*
 * The string with *** for each password, in both of libpq's forms (host=... password=..., and
 * postgresql://user:password@host/), malloc'd. What cannot be understood is masked whole.
 */
char *conninfo_mask(const char *conninfo);

#endif
