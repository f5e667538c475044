import { apiVersion, type ApiVersion, checkExecCreate, checkExecStart, encodeFrame, type ExecInspect } from "#api/wire";
import type { Exec } from "#containers";
import { asFault, Fault } from "#core/fault";
import type { TerminalSize } from "#host";
import { readJson } from "../body.ts";
import type { Answer } from "../http/answer.ts";
import { type ApiRequest, route, type Route } from "../router.ts";
import type { ServerOptions } from "../server.ts";
import { joinSession, multiplexedType, rawType } from "../session-stream.ts";
import { nameIn, sizeIn } from "./containers.ts";

/** Programs started in running containers. */
export function execRoutes(options: ServerOptions): Route[] {
  const { containers } = options;
  return [
    route("POST /containers/{name}/exec", (request) => create(options, request)),
    route("POST /exec/{name}/start", (request) => start(options, request)),
    route("POST /exec/{name}/resize", async (request) => {
      await containers.resizeExec(nameIn(request), sizeIn(request));
      return { kind: "empty", status: 200 };
    }),
    route("GET /exec/{name}/json", (request) => {
      const value = execInspect(containers.inspectExec(nameIn(request)));
      return { kind: "json", status: 200, value };
    }),
  ];
}

async function create({ containers }: ServerOptions, request: ApiRequest): Promise<Answer> {
  const body = checkExecCreate(await readJson(request));
  const command = body.Cmd ?? [];
  if (command.length === 0) throw new Fault("invalid", "no exec command specified");
  const size = readSize(body.ConsoleSize, request.version);
  const id = await containers.createExec(nameIn(request), {
    command,
    tty: body.Tty ?? false,
    attach: {
      stdin: body.AttachStdin ?? false,
      stdout: body.AttachStdout ?? false,
      stderr: body.AttachStderr ?? false,
    },
    env: body.Env ?? [],
    user: body.User ?? "",
    workingDir: body.WorkingDir ?? "",
    privileged: body.Privileged ?? false,
    ...(body.DetachKeys !== undefined && body.DetachKeys !== "" && { detachKeys: body.DetachKeys }),
    ...(size !== undefined && { size }),
  });
  return { kind: "json", status: 201, value: { Id: id } };
}

/** As in Docker the stream begins before the program starts, and a failure to start is told in the stream: the CLI prints it and asks inspect for the code. */
async function start({ containers }: ServerOptions, request: ApiRequest): Promise<Answer> {
  const id = nameIn(request);
  const body = checkExecStart(await readJson(request));
  const tty = body.Tty ?? false;
  const size = readSize(body.ConsoleSize, request.version);
  const options = { tty, ...(size !== undefined && { size }) };
  checkStartable(containers.inspectExec(id));
  if (body.Detach === true) {
    await containers.startExec(id, { ...options, detach: true });
    return { kind: "empty", status: 200 };
  }
  const isMultiplexed = !tty && request.upgrade && request.version >= apiVersion("1.42");
  return {
    kind: "hijack",
    contentType: isMultiplexed ? multiplexedType : rawType,
    serve: async (stream) => {
      const started = await containers.startExec(id, { ...options, detach: false }).catch(asFault);
      if (started instanceof Fault) {
        const words = Buffer.from(`${started.text}\r\n`);
        await stream.write(tty ? words : encodeFrame("stdout", words));
      } else if (started !== undefined) await joinSession(stream, started, !tty);
    },
  };
}

function checkStartable({ id, state }: Exec): void {
  if (state.status === "created") return;
  const done = state.status === "running" ? "is already running" : "has already run";
  throw new Fault("conflict", `Error: Exec command ${id} ${done}`);
}

/** Rows and columns; older clients do not send them. */
function readSize(size: readonly number[] | null | undefined, version: ApiVersion): TerminalSize | undefined {
  if (size === undefined || size === null || size.length === 0 || version < apiVersion("1.42")) return undefined;
  const [rows = 0, columns = 0] = size;
  if (size.length !== 2 || rows < 0 || columns < 0 || rows > 65_535 || columns > 65_535) {
    throw new Fault("invalid", "invalid ConsoleSize: expected rows and columns");
  }
  return rows === 0 && columns === 0 ? undefined : { rows, columns };
}

function execInspect({ id, containerId, spec, state }: Exec): ExecInspect {
  return {
    ID: id,
    Running: state.status === "running",
    ExitCode: state.status === "exited" ? state.exitCode : null,
    ProcessConfig: {
      tty: spec.tty,
      entrypoint: spec.command[0] ?? "",
      arguments: spec.command.slice(1),
      privileged: spec.privileged,
      ...(spec.user !== "" && { user: spec.user }),
    },
    OpenStdin: spec.attach.stdin,
    OpenStderr: spec.attach.stderr,
    OpenStdout: spec.attach.stdout,
    CanRemove: false,
    ContainerID: containerId,
    DetachKeys: spec.detachKeys ?? "",
    Pid: state.status === "created" ? 0 : state.pid,
  };
}
