/*
 * A mount plan: a list of operations, each a field whose bytes are words separated by NUL:
 *   mkdir PATH OCTALMODE · bind SOURCE TARGET FLAGS · mount TYPE SOURCE TARGET FLAGS DATA
 *   overlay TARGET UPPER WORK OPTIONS LOWER...   (upper and work empty: read-only; lowers topmost first)
 *   disk IMAGE TARGET                    (an ext4 image, one file system for all who mount it, see disk.h)
 *   live PID TARGET all|root             (a running container's own mounts, see liveview.h)
 *   within ROOT PATH SOURCE FLAGS        (a bind at a path inside ROOT, no symlink leaves it; made if missing)
 *   idmap SOURCE TARGET                  (binds a folder or file, owners as the container's user namespace has them)
 *   graft PID SOURCE TARGET              (binds a folder of that process' mount namespace, as the process sees it)
 * The targets of idmap and graft are made. FLAGS: a list with commas of rec, ro, nosuid, nodev, noexec. But for that
 * PATH they are followed as they are: a plan names folders of the daemon, never something inside a container's tree.
 */
#pragma once

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
