import { EngineFault, type ExecCreateRequest } from "#api/client";
import { defineCommand, ExitStatus } from "../command.ts";
import { parseDetachKeys } from "../detach-keys.ts";
import { list, text, toggle } from "../flags/flag.ts";
import { print } from "../surroundings.ts";
import { wordsOf } from "../each.ts";
import { checkEnv, readEnv } from "../request/env.ts";
import { carryStreams } from "../streaming.ts";
import type { Surroundings } from "../surroundings.ts";
import { checkTerminal, followSize, terminalSize } from "../terminal.ts";

/** `slipway exec`. */
export const exec = defineCommand({
  usage: "[OPTIONS] CONTAINER COMMAND [ARG...]",
  summary: "Run a command in a running container",
  description:
    "Answers the command's exit code. The command is no shell line: use `sh -c '…'` for pipes and variables.",
  examples: [
    ["slipway exec -it web sh", "A shell in a container"],
    ["slipway exec -u 1000 -w /srv web ls -l", "As another user, in another folder"],
  ],
  flags: {
    detach: toggle("Leave it running in the background", { short: "d" }),
    "detach-keys": text("Keys that detach (default ctrl-p,ctrl-q)"),
    env: list("Set an environment variable", { short: "e", check: checkEnv }),
    "env-file": list("Read environment variables from a file"),
    interactive: toggle("Connect the input", { short: "i" }),
    privileged: toggle("Give it nearly all rights of this machine"),
    tty: toggle("Give it a terminal", { short: "t" }),
    user: text("Who runs it: <name|uid>[:<group|gid>]", { short: "u" }),
    workdir: text("Folder inside the container to start in", { short: "w" }),
  },
  args: [2, Infinity],
  interspersed: false,
  completes: "running",
  run: async ({ args, around, values }) => {
    const [name = "", ...command] = args;
    const keys = values["detach-keys"] || (await around.userConfig()).detachKeys || "";
    const size = values.tty ? terminalSize(around) : undefined;
    const request: ExecCreateRequest = {
      User: values.user,
      Privileged: values.privileged,
      Tty: values.tty,
      ...(size !== undefined && { ConsoleSize: [size.rows, size.columns] }),
      AttachStdin: values.interactive && !values.detach,
      AttachStdout: !values.detach,
      AttachStderr: !values.detach,
      Detach: values.detach,
      ...(keys !== "" && { DetachKeys: keys }),
      Env: readEnv(values["env-file"], values.env),
      WorkingDir: values.workdir,
      Cmd: command,
    };
    if (!values.detach) checkTerminal(around, values.interactive, values.tty);
    const client = await around.client();
    const { Id } = await client.execs.create(name, request);
    if (values.detach) {
      await client.execs.startDetached(Id, { tty: values.tty });
      if (around.debug) await print(around, Id);
      return 0;
    }
    return await runAttached(around, Id, { interactive: values.interactive, tty: values.tty, keys });
  },
});

async function runAttached(
  around: Surroundings,
  execId: string,
  options: { readonly interactive: boolean; readonly tty: boolean; readonly keys: string },
): Promise<number> {
  const { execs } = await around.client();
  const { interactive, tty } = options;
  const detachKeys = parseDetachKeys(options.keys);
  const sizing = new AbortController();
  try {
    const connection = await execs.start(execId, { tty, size: tty ? terminalSize(around) : undefined });
    if (tty) void followSize(around, (size) => execs.resize(execId, size), sizing.signal);
    const streams = { stdin: interactive, stdout: true, stderr: true, tty, detachKeys };
    if ((await carryStreams(around, connection, streams)) === "detached")
      throw new ExitStatus(1, "read escape sequence");
  } catch (error) {
    if (error instanceof EngineFault) throw new ExitStatus(startFailureCode(error.message), wordsOf(error));
    throw error;
  } finally {
    sizing.abort();
  }
  const { ExitCode } = await execs.inspect(execId);
  return ExitCode ?? 0;
}

/** 126: there and not to be run; 127: not there. */
function startFailureCode(message: string): number {
  if (/executable file not found|no such file or directory/.test(message)) return 127;
  return /permission denied|is a directory/.test(message) ? 126 : 1;
}
