import { constants } from "node:os";

// What cannot be caught, what the kernel raises for our own doing, and what only concerns our own terminal or children.
const ours: ReadonlySet<string> = new Set([
  "SIGKILL",
  "SIGSTOP",
  "SIGCHLD",
  "SIGPIPE",
  "SIGURG",
  "SIGWINCH",
  "SIGSEGV",
  "SIGBUS",
  "SIGFPE",
  "SIGILL",
  "SIGABRT",
  "SIGIOT",
  "SIGTRAP",
  "SIGPROF",
  "SIGSYS",
  "SIGSTKFLT",
  "SIGTTIN",
  "SIGTTOU",
  "SIGPOLL",
  "SIGIO",
  "SIGUNUSED",
]);

/** Hands the signals that we get to `deliver` (by name) until disposed. */
export function proxySignals(deliver: (name: string) => Promise<void>): Disposable {
  const names = (Object.keys(constants.signals) as NodeJS.Signals[]).filter((name) => !ours.has(name));
  const forward = (name: NodeJS.Signals): void => {
    // The container may be gone by now; its end is seen elsewhere.
    deliver(name).catch(() => undefined);
  };
  for (const name of names) process.on(name, forward);
  return {
    [Symbol.dispose]() {
      for (const name of names) process.off(name, forward);
    },
  };
}

/** A signal that aborts at Ctrl-C or SIGTERM, for commands that run until then. */
export function untilInterrupted(): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  process.once("SIGINT", abort);
  process.once("SIGTERM", abort);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      process.off("SIGINT", abort);
      process.off("SIGTERM", abort);
    },
  };
}
