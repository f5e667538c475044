import { type Command, defineCommand, type Invocation } from "../command.ts";
import { forEach } from "../each.ts";
import { integer, text } from "../flags/flag.ts";
import { warnOfDeafContainer } from "../stop-warning.ts";
import type { Client, StopOptions } from "#api/client";

const stopFlags = {
  signal: text("Signal to send first (default: the container's own, else SIGTERM)", { short: "s" }),
  timeout: integer("Seconds to wait before killing; -1 waits for ever", { short: "t" }),
  time: integer("Seconds to wait before killing", { hidden: true }),
};

/** `slipway stop`. */
export const stop = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Stop running containers",
  description: "Sends the stop signal, waits (10 seconds unless said otherwise), then kills what still runs.",
  examples: [
    ["slipway stop web", "Stop a container"],
    ["slipway stop -t 60 db", "Give it a minute to finish"],
  ],
  flags: stopFlags,
  args: [1, Infinity],
  completes: "running",
  run: async ({ args, around, changed, values }) => {
    const { containers } = await around.client();
    const options = stopOptions(values, changed);
    return await forEach(around, args, async (name) => {
      await warnOfDeafContainer(around, containers, name, options);
      await containers.stop(name, options);
      return name;
    });
  },
});

/** `slipway restart`. */
export const restart = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Stop containers and start them again",
  flags: stopFlags,
  args: [1, Infinity],
  completes: "containers",
  run: async ({ args, around, changed, values }) => {
    const { containers } = await around.client();
    const options = stopOptions(values, changed);
    return await forEach(around, args, async (name) => {
      await warnOfDeafContainer(around, containers, name, options);
      await containers.restart(name, options);
      return name;
    });
  },
});

/** `slipway kill`. */
export const kill = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Send a signal to running containers",
  examples: [["slipway kill -s HUP web", "Ask a server to read its configuration again"]],
  flags: { signal: text("Signal to send (default SIGKILL)", { short: "s" }) },
  args: [1, Infinity],
  completes: "running",
  run: async ({ args, around, values }) => {
    const { containers } = await around.client();
    return await forEach(around, args, async (name) => {
      await containers.kill(name, values.signal === "" ? undefined : values.signal);
      return name;
    });
  },
});

/** `slipway pause`. */
export const pause = simple("Freeze all processes of containers", (client, name) => client.containers.pause(name));

/** `slipway unpause`. */
export const unpause = simple("Thaw the processes of paused containers", (client, name) =>
  client.containers.unpause(name),
);

function simple(summary: string, work: (client: Client, name: string) => Promise<void>): Command {
  return defineCommand({
    usage: "CONTAINER [CONTAINER...]",
    summary,
    flags: {},
    args: [1, Infinity],
    completes: "running",
    run: async ({ args, around }: Pick<Invocation, "args" | "around">) => {
      const client = await around.client();
      return await forEach(around, args, async (name) => {
        await work(client, name);
        return name;
      });
    },
  });
}

function stopOptions(
  values: { readonly signal: string; readonly timeout: number; readonly time: number },
  changed: ReadonlySet<string>,
): StopOptions {
  const timeoutSeconds = changed.has("timeout") ? values.timeout : changed.has("time") ? values.time : undefined;
  return {
    ...(values.signal !== "" && { signal: values.signal }),
    ...(timeoutSeconds !== undefined && { timeoutSeconds }),
  };
}
