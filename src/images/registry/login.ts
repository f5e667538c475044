import { Fault } from "#core/fault";
import { RegistryFault } from "./failure.ts";
import type { Route } from "./route.ts";
import type { Session } from "./session.ts";

/**
 * Asks a registry for its front page (`/v2/`), which opens to who is known there (distribution-spec, end-1). Fault
 * `unauthorized` in Docker's words when the credentials are refused.
 */
export async function logIn(route: Route, signal: AbortSignal): Promise<void> {
  await route.run(async (session) => await knock(session, signal), { attempts: 2 }, signal);
}

async function knock(session: Session, signal: AbortSignal): Promise<void> {
  try {
    const answer = await session.send({ method: "GET", path: "/v2/", wanted: [200] }, signal);
    answer.discard();
  } catch (error) {
    if (!(error instanceof RegistryFault)) throw error;
    const attempt = `login attempt to ${session.endpoint.origin.origin}/v2/ failed with status`;
    if (error.reason === "denied") {
      throw new Fault("unauthorized", `${attempt}: 401 Unauthorized`, {
        cause: error,
        remedy: `The registry says: ${error.message}. Check the user name and the password or token.`,
      });
    }
    if (error.reason === "missing") {
      throw new Fault("unavailable", `${attempt}: 404 Not Found`, {
        cause: error,
        remedy: `Check the address: nothing at ${session.endpoint.origin.host} speaks the registry protocol.`,
      });
    }
    throw error;
  }
}
