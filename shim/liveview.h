/* The mounts of a container that runs, as it sees them itself, in a namespace of ours: what cp and export work on. */
#pragma once

#include <stdbool.h>

struct failure;

/*
 * Clones the mounts in which that process lives and puts them at `target`, private (nothing that is mounted later goes
 * from one to the other), nosuid, nodev and noexec. With `deep` all of them, but for those of the kernel's own file
 * systems (proc, sysfs, cgroups, devices …), which are taken away: root's writes there would be writes to the host.
 * Without, the root alone. A process in the host's own mounts is refused (-EXDEV). 0 or -errno: -ESRCH
 * when the process is gone, -ENOSYS before Linux 5.12.
 *
 * The caller makes sure that the pid is the container's: it asks the container's monitor once this has been done.
 */
int live_view(const char *pid, const char *target, bool deep);
/* Enters the user namespace of the process that live_view was last told, if it has one of its own: as its root. */
int live_enter_users(struct failure *failure);
