import { Fault } from "#core/fault";
import type { InterfaceCounters } from "./counters.ts";
import { KeptFile } from "./kept-file.ts";

/** Reads the traffic of one network namespace again and again. */
export interface TrafficReader extends Disposable {
  /** By interface name. Fault `notFound` when the process is gone. */
  read(): Readonly<Record<string, InterfaceCounters>>;
}

/** The network namespace that the process is in at the first reading. */
export function openTraffic(pid: number): TrafficReader {
  const file = new KeptFile(`/proc/${pid}/net/dev`);
  return {
    read: () => {
      const text = file.read();
      if (text === undefined) throw new Fault("notFound", `process ${pid} is gone`);
      return parseNetDev(text);
    },
    [Symbol.dispose]: () => file[Symbol.dispose](),
  };
}

/** The table of `/proc/<pid>/net/dev` by interface name: two header lines, then eight numbers received and eight sent. */
export function parseNetDev(text: string): Record<string, InterfaceCounters> {
  const found: Record<string, InterfaceCounters> = {};
  for (const line of text.split("\n").slice(2)) {
    const colon = line.indexOf(":");
    if (colon < 0) continue;
    const numbers = line
      .slice(colon + 1)
      .trim()
      .split(/ +/)
      .map(Number);
    const at = (index: number): number => numbers[index] ?? 0;
    found[line.slice(0, colon).trim()] = {
      rxBytes: at(0),
      rxPackets: at(1),
      rxErrors: at(2),
      rxDropped: at(3),
      txBytes: at(8),
      txPackets: at(9),
      txErrors: at(10),
      txDropped: at(11),
    };
  }
  return found;
}
