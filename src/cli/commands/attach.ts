import { defineCommand } from "../command.ts";
import { parseDetachKeys } from "../detach-keys.ts";
import { text, toggle } from "../flags/flag.ts";
import { proxySignals } from "../signals.ts";
import { carryStreams } from "../streaming.ts";
import { write } from "../surroundings.ts";
import { checkTerminal, followSize } from "../terminal.ts";

/** `slipway attach`. */
export const attach = defineCommand({
  usage: "[OPTIONS] CONTAINER",
  summary: "Connect the terminal to a running container",
  description: "Ctrl-p Ctrl-q leaves a container with a terminal running. For a second shell use `slipway exec -it`.",
  flags: {
    "detach-keys": text("Keys that detach (default ctrl-p,ctrl-q)"),
    "no-stdin": toggle("Do not connect the input"),
    "sig-proxy": toggle("Hand signals on to the process", { initial: true }),
  },
  args: [1, 1],
  completes: "running",
  run: async ({ args, around, values }) => {
    const [name = ""] = args;
    const { containers } = await around.client();
    const { Config, Id, State } = await containers.inspect(name);
    if (!State.Running) throw new Error("cannot attach to a stopped container, start it first");
    if (State.Paused) throw new Error("cannot attach to a paused container, unpause it first");
    if (State.Restarting) throw new Error("cannot attach to a restarting container, wait until it is running");
    checkTerminal(around, !values["no-stdin"], Config.Tty);
    const keys = values["detach-keys"] || (await around.userConfig()).detachKeys || "";
    const detachKeys = parseDetachKeys(keys);
    const { result } = await containers.wait(Id, "not-running");
    const stdin = !values["no-stdin"] && Config.OpenStdin;
    using _proxy =
      values["sig-proxy"] && !Config.Tty ? proxySignals((signal) => containers.kill(Id, signal)) : undefined;
    const connection = await containers.attach(Id, {
      stdin,
      stdout: true,
      stderr: true,
      tty: Config.Tty,
      ...(keys !== "" && { detachKeys: keys }),
    });
    const sizing = new AbortController();
    if (Config.Tty) void followSize(around, (size) => containers.resize(Id, size), sizing.signal);
    try {
      const end = await carryStreams(around, connection, {
        stdin,
        stdout: true,
        stderr: true,
        tty: Config.Tty,
        detachKeys,
      });
      if (end === "detached") {
        await write(around.stderr, "read escape sequence\n");
        return 0;
      }
      // The output may have ended because somebody detached us; only a container that ended has an exit code.
      const { State: now } = await containers.inspect(Id).catch(() => ({ State: { Running: false } }));
      return now.Running ? 0 : (await result).StatusCode;
    } finally {
      sizing.abort();
    }
  },
});
