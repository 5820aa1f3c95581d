/* app/img/progress.h - how far a long job is: -p prints it, SIGUSR1 asks.
 *
 * One job at a time has its progress shown.  Any thread may report.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef APP_IMG_PROGRESS_H
#define APP_IMG_PROGRESS_H
#include <stdbool.h>
#include <stdint.h>

/* show: -p was given.  Prints 0 %.  SIGUSR1 is answered from here on. */
void progress_start(bool show);
void progress_report(uint64_t done, uint64_t total);
void progress_complete(void);	/* prints 100 % */
/* Ends the line.  complete: print 100 % before that. */
void progress_end(bool complete);

#endif
