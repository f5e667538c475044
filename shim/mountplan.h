/*
 * A mount plan: a list of operations, each a field whose bytes are words separated by NUL:
 *   mkdir PATH OCTALMODE · bind SOURCE TARGET FLAGS · mount TYPE SOURCE TARGET FLAGS DATA
 *   overlay TARGET UPPER WORK OPTIONS LOWER...   (upper and work empty: read-only; lowers topmost first)
 *   disk IMAGE TARGET                    (an ext4 image, one file system for all who mount it, see disk.h)
 *   live PID TARGET all|root             (a running container's own mounts, see liveview.h)
 *   within ROOT PATH SOURCE FLAGS        (a bind at a path inside ROOT, no symlink leaves it; made if missing)
 *   pick beneath|inside ROOT PATH TARGET FLAGS   (a bind of what is at a path inside ROOT, see within.h)
 *   idmap SOURCE TARGET                  (binds a folder or file, owners as the container's user namespace has them)
 *   idmap SOURCE TARGET UIDS GIDS        (the same with ids of its own: lines of user_namespaces(7))
 *   share PID SOURCE TARGET TYPE DEVICE FLAGS DATA   (a mount that several containers have, see share.h)
 *   graft PID SOURCE TARGET one|all      (binds a folder of that process' mount namespace, as the process sees it, and what is
 *                                         mounted below it; where it is shared, it stays a peer of what it was)
 * The targets of pick, idmap, share and graft are made. FLAGS: a list with commas of rec, ro, nosuid, nodev, noexec, sync,
 * dirsync, noatime, nodiratime, relatime, strictatime. But for those PATHs they are followed as they are: a plan names folders of the daemon, never something inside a container's tree.
 */
#pragma once

#include <sys/types.h>

struct request;
struct failure;
struct userns;

#define LOWERS_MAX 500

/* Gives the process a mount namespace of its own: what the host unmounts goes here too, what is mounted here stays here. */
int mounts_make_private(struct failure *failure);
/* Applies the plan in order; `userns` (or NULL) is the container's. The failure names operation, path and error. */
int mounts_apply(const struct request *request, const struct userns *userns, struct failure *failure);
/* Detaches the plan's targets again, last first; best effort. */
void mounts_undo(const struct request *request);

/* Takes rights from a mount, or with `rec` from all at and below it. */
int mount_restrict(const char *target, const char *flags);
/* Bind-mounts with flags (comma list as above). */
int mount_bind(const char *source, const char *target, const char *flags);
/* mount(2) with those words for flags. */
int mount_new(const char *type, const char *device, const char *target, const char *flags, const char *data);
/* Makes a folder (with those above it), or an empty file, as a mount point. A symlink in its place is an error. */
int mount_make_target(char *target, mode_t type);
