/* The task watchdog's view of the sketch. */
#ifndef SUPERVISOR_H
#define SUPERVISOR_H

/* Tell the task watchdog about the sketch, from now on. Call once, before the task starts. */
void supervisor_init(void);

/* A sign of life; call it in the main loop. */
void supervisor_alive(void);

#endif
