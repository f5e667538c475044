import { resolve } from "node:path";
import { Fault } from "#core/fault";
import { defineCommand } from "../command.ts";
import { integer, text } from "../flags/flag.ts";

/** `slipway resolver`: hidden, as the daemon starts it. */
export const resolver = defineCommand({
  usage: "--folder FOLDER [OPTIONS]",
  summary: "Answer the names of a daemon's containers",
  description: "Started by the daemon. Ends by itself when no daemon is there and no container has a name.",
  flags: {
    folder: text("Folder of its sockets and log"),
    "idle-exit": integer("Seconds without a daemon after which it ends", { initial: 30 }),
    "resolv-conf": text("File with the servers that other names are asked of", { initial: "/etc/resolv.conf" }),
  },
  args: [0, 0],
  run: async ({ values }) => {
    if (values.folder === "") throw new Fault("invalid", "slipway resolver needs --folder");
    const { runResolver } = await loadResolver();
    await runResolver({
      folder: resolve(values.folder),
      idleMs: values["idle-exit"] * 1000,
      resolvConf: resolve(values["resolv-conf"]),
    });
    return 0;
  },
});

/** Loaded only here: no other command needs what a resolver is made of. */
async function loadResolver() {
  return await import("#resolver");
}
