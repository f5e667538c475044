/* Mounts that several containers have at once and that nobody else has: a volume in memory lives in its users' monitors alone. */
#pragma once

/*
 * Puts at TARGET (a folder, made) what the monitor of the container whose first process is PID has mounted at SOURCE; where
 * that is over, or PID is 0, a new mount of {type, device, flags, data}. 0 or -errno.
 */
int mount_shared(const char *pid, const char *source, char *target, const char *const new_mount[4]);
