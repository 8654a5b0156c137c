/*
 * bell: see bell.c. v6e_ring() is for what emits, the boxes are for the worker.
 */
#ifndef V6E_BELL_H
#define V6E_BELL_H

#include "storage/latch.h"

/* Called when the module is loaded. */
extern void v6e_bell_init(void);

/* Has the bell rung when this transaction commits. */
extern void v6e_ring(void);
/* The plain bell, at the commit. */
extern void v6e_notify(void);

/* False if another worker has the database's box, or there is none for it. */
extern bool v6e_box_enter(Oid database, Latch *worker);
/* With replace, another worker rings what was asked for. */
extern void v6e_box_leave(Oid database, bool replace);
/* Whether a bell was asked for; it is the caller's to ring now, and to ask again after a moment.
 * Else what asks for one sets the latch. */
extern bool v6e_box_take(Oid database);
/* It could not be. */
extern void v6e_box_put_back(Oid database);

#endif
