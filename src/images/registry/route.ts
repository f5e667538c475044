import { setTimeout as sleep } from "node:timers/promises";
import { Fault, isFault } from "#core/fault";
import { type FailureReason, isUnreached, RegistryFault } from "./failure.ts";
import type { Session } from "./session.ts";

/** The ways to one registry in order; remembers those that turned out to be dead. */
export interface Route {
  /** Runs the work on the first way that can do it. `attempts` above 1 tries again after passing trouble; for work that resumes by itself, 1. */
  run<Result>(
    work: (session: Session) => Promise<Result>,
    options: { readonly attempts: number },
    signal: AbortSignal,
  ): Promise<Result>;
  /** Uses a mirror no more, as it sends wrong bytes or never ends; answers whether it was one. */
  reject(session: Session): boolean;
}

/** Opens a route over at least one session. A mirror's failure of any kind moves on; of the registry's own ways only one that was never reached does. */
export function openRoute(sessions: readonly Session[], retryDelayMs: number): Route {
  const dead = new Set<Session>();
  return {
    async run(work, { attempts }, signal) {
      const living = sessions.filter((session) => !dead.has(session));
      const mirrorFailures: string[] = [];
      for (const [index, session] of living.entries()) {
        try {
          return await retrying(() => work(session), attempts, retryDelayMs, signal);
        } catch (error) {
          if (!mayMoveOn(session, living[index + 1], error)) throw withMirrors(error, mirrorFailures);
          if (isUnreached(error)) dead.add(session);
          if (session.endpoint.mirror && error instanceof Error) mirrorFailures.push(error.message);
        }
      }
      throw new Fault("internal", "a registry without endpoints");
    },
    reject(session) {
      if (session.endpoint.mirror && session !== sessions.at(-1)) dead.add(session);
      return session.endpoint.mirror;
    },
  };
}

/** A passing `Retry-After` is waited for only when the person at the terminal would not wonder. */
const longestWaitMs = 5000;

async function retrying<Result>(
  work: () => Promise<Result>,
  attempts: number,
  retryDelayMs: number,
  signal: AbortSignal,
): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const waitMs = waitFor(error, retryDelayMs * 2 ** (attempt - 1));
      if (waitMs === undefined || attempt >= attempts) throw error;
      await pause(waitMs, signal);
    }
  }
}

/** Waits, or ends with Fault `cancelled` when the signal fires. */
export async function pause(waitMs: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(waitMs, undefined, { signal });
  } catch (error) {
    throw new Fault("cancelled", "context canceled", { cause: error });
  }
}

function waitFor(error: unknown, delayMs: number): number | undefined {
  if (!(error instanceof RegistryFault)) return undefined;
  if (error.reason === "broken") return delayMs;
  if (error.reason !== "overloaded" && error.reason !== "throttled") return undefined;
  if (error.retryAfterMs === undefined) return error.reason === "overloaded" ? delayMs : undefined;
  return error.retryAfterMs <= longestWaitMs ? error.retryAfterMs : undefined;
}

function mayMoveOn(session: Session, next: Session | undefined, error: unknown): boolean {
  if (next === undefined || isFault(error, "cancelled")) return false;
  return session.endpoint.mirror || (error instanceof RegistryFault && anotherWay.has(error.reason));
}

/** Failures of TLS on an insecure registry that plain HTTP may cure. */
const anotherWay: ReadonlySet<FailureReason> = new Set(["connect", "timeout", "broken", "plaintext", "untrusted"]);

function withMirrors(error: unknown, mirrorFailures: readonly string[]): unknown {
  if (!(error instanceof RegistryFault) || mirrorFailures.length === 0) return error;
  const mirrors = `The mirror failed before: ${mirrorFailures.join("; ")}`;
  return new RegistryFault(error.reason, error.message, {
    cause: error,
    kind: error.kind,
    code: error.code,
    remedy: error.remedy === undefined ? mirrors : `${error.remedy} ${mirrors}`,
    ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
  });
}
