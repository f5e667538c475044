import { type ContainerCreateRequest, EngineFault } from "#api/client";
import { attachAndStart } from "../attach-and-start.ts";
import { defineCommand, ExitStatus } from "../command.ts";
import { createContainer } from "../create-container.ts";
import { parseDetachKeys } from "../detach-keys.ts";
import { wordsOf } from "../each.ts";
import { text, toggle } from "../flags/flag.ts";
import { containerFlags } from "../request/container-flags.ts";
import { attached, createRequest, refuseAttachAndDetach } from "../request/create-request.ts";
import { print } from "../surroundings.ts";
import { checkTerminal, terminalSize } from "../terminal.ts";

/** `slipway run`. */
export const run = defineCommand({
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  summary: "Create and run a new container from an image",
  description:
    "Pulls the image if it is not here. Options go before the image; what follows it belongs to the container.\n" +
    "Exit codes: the container's own; 125 the engine refused, 126 the command cannot be run, 127 it was not found.",
  examples: [
    ["slipway run --rm hello", "Greet, and leave nothing behind"],
    ["slipway run -it --rm debian bash", "Work in a shell"],
    ["slipway run -d --name web -p 8080:80 nginx", "A server in the background, at http://127.0.0.1:8080"],
    ['slipway run --rm -v "$PWD":/src -w /src node npm test', "Run a tool on the files of this folder"],
  ],
  flags: {
    ...containerFlags,
    detach: toggle("Leave it running in the background, and print its id", { short: "d" }),
    "detach-keys": text("Keys that detach (default ctrl-p,ctrl-q)"),
    "sig-proxy": toggle("Hand signals on to the process", { initial: true }),
  },
  args: [1, Infinity],
  interspersed: false,
  failureCode: 125,
  completes: "images",
  run: async ({ args, around, changed, path, values }) => {
    const [image = "", ...command] = args;
    const wanted = createRequest(values, changed, image, command);
    if (values.detach) refuseAttachAndDetach(values);
    else checkTerminalOf(values.tty && wanted.AttachStdin === true, around);
    const keys = values["detach-keys"] || (await around.userConfig()).detachKeys || "";
    parseDetachKeys(keys);
    const request = values.detach ? detached(wanted) : sized(wanted, terminalSize(around));
    const { id } = await createContainer(around, request, values);
    const { containers } = await around.client();
    try {
      if (values.detach) {
        try {
          await containers.start(id);
        } finally {
          await print(around, id);
        }
        return 0;
      }
      const streams = attached(values);
      return await attachAndStart(around, id, {
        stdin: streams.has("STDIN"),
        stdout: streams.has("STDOUT"),
        stderr: streams.has("STDERR"),
        tty: values.tty,
        detachKeys: keys,
        proxySignals: values["sig-proxy"],
        autoRemove: values.rm,
      });
    } catch (error) {
      const pointer = error instanceof EngineFault ? `\n\nRun '${path} --help' for more information` : "";
      throw new ExitStatus(startFailureCode(error), `slipway: ${wordsOf(error)}${pointer}`);
    }
  },
});

/** In the background nothing is connected, and the input's end is nobody's. */
function detached(request: ContainerCreateRequest): ContainerCreateRequest {
  return { ...request, AttachStdin: false, AttachStdout: false, AttachStderr: false, StdinOnce: false };
}

function sized(request: ContainerCreateRequest, size: ReturnType<typeof terminalSize>): ContainerCreateRequest {
  if (size === undefined || request.Tty !== true) return request;
  return { ...request, HostConfig: { ...request.HostConfig, ConsoleSize: [size.rows, size.columns] } };
}

function checkTerminalOf(needed: boolean, around: Parameters<typeof checkTerminal>[0]): void {
  try {
    checkTerminal(around, needed, needed);
  } catch (error) {
    throw new ExitStatus(1, wordsOf(error));
  }
}

/** 126: there and not to be run; 127: not there; 125: anything else that kept it from starting. */
function startFailureCode(error: unknown): number {
  const message = error instanceof Error ? error.message : "";
  if (/executable file not found|no such file or directory/.test(message)) return 127;
  return /permission denied|is a directory/.test(message) ? 126 : 125;
}
