/* The command line that ps shows for a forked monitor. */
#pragma once

/* Remembers where the kernel keeps the arguments. */
void title_open(int argc, char **argv);
/* Overwrites them, cut to the room that there is. */
void title_set(const char *title);
