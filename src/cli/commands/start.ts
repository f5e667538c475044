import { defineCommand } from "../command.ts";
import { forEach, wordsOf } from "../each.ts";
import { parseDetachKeys } from "../detach-keys.ts";
import { text, toggle } from "../flags/flag.ts";
import { attachAndStart } from "../attach-and-start.ts";
import { write } from "../surroundings.ts";

/** `slipway start`. */
export const start = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Start stopped containers",
  examples: [["slipway start -ai shell", "Start a container and work in its terminal"]],
  flags: {
    attach: toggle("Connect to its output, and hand signals on", { short: "a" }),
    "detach-keys": text("Keys that detach (default ctrl-p,ctrl-q)"),
    interactive: toggle("Connect to its input too", { short: "i" }),
  },
  args: [1, Infinity],
  completes: "containers",
  run: async ({ args, around, values }) => {
    const client = await around.client();
    const [name = ""] = args;
    if (!values.attach && !values.interactive) {
      const failed: string[] = [];
      const code = await forEach(around, args, async (container) => {
        try {
          await client.containers.start(container);
        } catch (error) {
          failed.push(container);
          throw error;
        }
        return container;
      });
      if (failed.length > 0) await write(around.stderr, `Error: failed to start containers: ${failed.join(", ")}\n`);
      return code;
    }
    if (args.length > 1) throw new Error("you cannot start and attach multiple containers at once");
    const { Config, HostConfig, Id } = await client.containers.inspect(name);
    const detachKeys = values["detach-keys"] || (await around.userConfig()).detachKeys || "";
    parseDetachKeys(detachKeys);
    try {
      return await attachAndStart(around, Id, {
        stdin: values.interactive && Config.OpenStdin,
        stdout: true,
        stderr: true,
        tty: Config.Tty,
        detachKeys,
        proxySignals: values.attach && !Config.Tty,
        autoRemove: HostConfig.AutoRemove,
      });
    } catch (error) {
      await write(around.stderr, `${wordsOf(error)}\n`);
      return 1;
    }
  },
});
