import { lookup as systemLookup, type LookupAddress, type LookupOptions } from "node:dns";
import type { LookupFunction } from "node:net";

type Answer = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void;

/** What the system offers to find addresses; a test hands in its own. */
export type SystemLookup = (hostname: string, options: LookupOptions, answer: Answer) => void;

/**
 * Finds addresses by the system's own rules (hosts file, nsswitch), at most `atOnce` names at a time; whoever asks for a
 * name that is being asked for shares the answer. The system's lookup blocks one of node's four worker threads for as
 * long as a dead name server is waited for, and the files of the whole daemon go through the same threads.
 */
export function boundedLookup(atOnce = 2, system: SystemLookup = systemLookup): LookupFunction {
  const asked = new Map<string, Answer[]>();
  const waiting: (() => void)[] = [];
  let running = 0;
  const next = (): void => {
    if (running >= atOnce) return;
    waiting.shift()?.();
  };
  return (hostname, options, answer) => {
    const key = JSON.stringify([hostname, options.family, options.hints, options.all]);
    const others = asked.get(key);
    if (others !== undefined) {
      others.push(answer);
      return;
    }
    const answers = [answer];
    asked.set(key, answers);
    waiting.push(() => {
      running += 1;
      system(hostname, options, (...said) => {
        running -= 1;
        asked.delete(key);
        for (const tell of answers) tell(...said);
        next();
      });
    });
    next();
  };
}
