import { parseNetworkMode } from "../config/network-mode.ts";
import { attempt, type Room } from "../room.ts";
import { isRunning } from "../state.ts";
import { rewriteResolvConf } from "./network-files.ts";

/** Containers in the host's network ask whom the host asks, also when that changes while they run. */
export function followHostResolver(room: Room): Disposable {
  const { machine } = room.host;
  return machine.watchResolvConf(() => {
    tellHostResolver(room).catch(room.onUnexpected);
  });
}

/** Brings them up to date. */
export async function tellHostResolver(room: Room): Promise<void> {
  const hostResolvConf = await room.host.machine.resolvConf();
  for (const record of [...room.store.all()]) {
    const isOnHost = parseNetworkMode(record.spec.networkMode).kind === "host";
    if (isOnHost && isRunning(record.state)) attempt(room, () => rewriteResolvConf(room, record, hostResolvConf));
  }
}
