import { parseNetworkMode } from "../config/network-mode.ts";
import type { Room } from "../room.ts";
import { isRunning } from "../state.ts";
import { rewriteResolvConf } from "./network-files.ts";

/** Containers in the host's network ask whom the host asks, also when that changes while they run. */
export function followHostResolver(room: Room): Disposable {
  const { machine } = room.host;
  const follow = (): void => {
    tell(room).catch(room.onUnexpected);
  };
  return machine.watchResolvConf(follow);
}

async function tell(room: Room): Promise<void> {
  const hostResolvConf = await room.host.machine.resolvConf();
  for (const record of [...room.store.all()]) {
    const isOnHost = parseNetworkMode(record.spec.networkMode).kind === "host";
    if (isOnHost && isRunning(record.state)) rewriteResolvConf(room, record, hostResolvConf);
  }
}
