#pragma once

/*
 * A null device that is this container's own, read and write; or -errno. Runtimes make a container's user the owner of its
 * standard streams: were one of them the host's /dev/null, that user could change the mode of it for all.
 */
int null_open(void);
