/* The files of a log: names, list, and the repair of a torn end. */
#pragma once

#include <stdint.h>

int logfolder_open(int folder, uint32_t number, int flags);
void logfolder_remove(int folder, uint32_t number);
/* The numbers of the newest segments (at most max), ascending; their count or -errno. */
int logfolder_list(int folder, uint32_t *numbers, int max);
/* Cuts the file after its last whole record; its size then, or -errno. */
int64_t logfolder_cut_torn_tail(int fd);
