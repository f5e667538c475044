/** Processor time of the whole machine. */
export interface MachineTime {
  /** Of all processors together, idle time included; in the kernel's ticks of 10 ms. */
  readonly totalNs: bigint;
  readonly onlineCpus: number;
}

const nsPerTick = 10_000_000n;

/** Reads `/proc/stat` as Docker does: user, nice, system, idle, iowait, irq, softirq. */
export function parseMachineTime(text: string): MachineTime {
  const [, numbers = ""] = /^cpu +([\d ]+)$/m.exec(text) ?? [];
  const ticks = numbers.split(" ").slice(0, 7);
  const totalNs = ticks.reduce((sum, word) => sum + BigInt(word) * nsPerTick, 0n);
  return { totalNs, onlineCpus: text.match(/^cpu\d/gm)?.length ?? 0 };
}
