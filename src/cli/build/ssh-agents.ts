import { connect } from "node:net";
import { statSync } from "node:fs";
import type { Client } from "#api/client";

/** Connections that wait for steps, of each agent. */
const parkedAtOnce = 2;

/** Reads `--ssh default`, `--ssh id=/path/of/socket`: sockets by id. Throws an Error in Docker's words. */
export function readAgents(
  items: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ReadonlyMap<string, string> {
  return new Map(
    items.map((item): [string, string] => {
      const equals = item.indexOf("=");
      const id = equals < 0 ? item : item.slice(0, equals);
      const path = equals < 0 ? env["SSH_AUTH_SOCK"] : item.slice(equals + 1);
      if (path === undefined || path === "")
        throw new Error("invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set");
      if (statSync(path, { throwIfNoEntry: false })?.isSocket() !== true)
        throw new Error(`${path} is no socket of an SSH agent: add keys to one with ssh-add`);
      return [id, path];
    }),
  );
}

/** Parks connections to our agents on the session until the signal aborts; each is joined with the agent when a step speaks. */
export function forwardAgents(
  { builds }: Client,
  session: string,
  agents: ReadonlyMap<string, string>,
  signal: AbortSignal,
): void {
  const park = async (id: string, path: string): Promise<void> => {
    while (!signal.aborted) {
      const connection = await builds.parkAgent(session, id, signal);
      const agent = connect(path);
      agent.on("error", () => connection.close());
      agent.on("data", (bytes) => void connection.write(bytes));
      agent.on("close", () => connection.close());
      const close = (): void => connection.close();
      signal.addEventListener("abort", close, { once: true });
      try {
        for await (const { bytes } of connection.output) agent.write(bytes);
      } finally {
        signal.removeEventListener("abort", close);
        agent.destroy();
      }
    }
  };
  for (const [id, path] of agents) {
    // The build's end ends them; a step that finds none says so itself.
    for (let number = 0; number < parkedAtOnce; number++) park(id, path).catch(() => undefined);
  }
}
