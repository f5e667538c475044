/* Paths, and mounts at them, inside a container's tree, which may hold any symlink and may be changed by the container meanwhile. */
#pragma once

/* What PATH is as seen from ROOT, whose symlinks never lead out of it: a descriptor that only names it (O_PATH), or -errno. */
int open_inside(int root, const char *path);

/* Binds SOURCE, with all below it, at PATH as seen from ROOT; a missing place is made, of the source's kind, as a start would. 0 or -errno. */
int mount_within(const char *root, const char *path, const char *source, const char *flags);

/*
 * Binds what PATH is inside ROOT, with all below it, at TARGET, which is made (of its kind). How: `beneath`, where a symlink that
 * leads out of ROOT, also an absolute one, is an error (-EXDEV); `inside`, where ROOT is the root of all of them. 0 or -errno.
 */
int mount_picked(const char *how, const char *root, const char *path, char *target, const char *flags);
