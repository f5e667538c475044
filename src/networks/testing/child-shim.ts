import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { Fault } from "#core/fault";
import type { MonitorSlot, Program, ProgramEnd, RunningProgram, Shim } from "#host";
import { PortSockets } from "./port-sockets.ts";

/** The part of the shim that networks use, by child processes of the test; counts the programs that it ran and what they were given. */
export class ChildShim implements Pick<Shim, "run" | "runToEnd" | "changeLinks" | "prepareMonitor"> {
  readonly programs: string[] = [];
  /** Bytes of standard input, for each of `programs`. */
  readonly inputBytes: number[] = [];
  /** Asked before each program: whether it shall fail, or be missing on this machine. */
  trouble: (program: string) => "fails" | "missing" | undefined = () => undefined;
  /** What programs are given in the place of their input: for links of kinds that the test's kernel may lack. */
  rewrite: (input: string) => string = (input) => input;
  readonly #slots = new Set<ChildProcess>();
  readonly #sockets = new Map<number, PortSockets>();

  async runToEnd(
    program: Program & { readonly input?: string | Uint8Array },
  ): Promise<ProgramEnd & { readonly stdout: Uint8Array; readonly stderr: string }> {
    this.programs.push(program.argv.join(" "));
    this.inputBytes.push(Buffer.byteLength(program.input ?? ""));
    const trouble = this.trouble(program.argv.join(" "));
    if (trouble === "missing") throw new Fault("notFound", `${program.argv[0]}: not found`);
    if (trouble === "fails")
      return { code: 1, signal: null, timedOut: false, stdout: new Uint8Array(), stderr: "trouble" };
    const inside = program.netns === undefined ? [] : ["nsenter", `--net=${program.netns}`];
    const [command = "", ...args] = [...inside, ...program.argv];
    const child = spawn(command, args, { stdio: "pipe" });
    const stdout: Buffer[] = [];
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdin
      .on("error", () => undefined)
      .end(typeof program.input === "string" ? this.rewrite(program.input) : (program.input ?? ""));
    try {
      const [code] = (await once(child, "close")) as [number | null];
      return { code, signal: null, timedOut: false, stdout: Buffer.concat(stdout), stderr };
    } catch (error) {
      throw new Fault("notFound", `${command}: not found`, { cause: error });
    }
  }

  /** By the programs whose words the lines are; counted as one program called `links`. */
  async changeLinks(lines: readonly string[], mode?: "each"): Promise<void> {
    this.programs.push("links");
    this.inputBytes.push(Buffer.byteLength(lines.join("\n")));
    if (this.trouble("links") === "fails") throw new Fault("internal", "trouble");
    for (const { inside, program, input } of programsFor(lines, mode)) {
      const [command = "", ...args] = [...inside, ...program];
      const { status, stderr } = spawnSync(command, args, { input });
      const text = stderr.toString().trim();
      if (status === 0 || mode === "each") continue;
      throw new Fault(text.includes("Exchange full") ? "exhausted" : "internal", `ip failed: ${text}`);
    }
  }

  /** For programs that are followed until they are disposed of. */
  async run({ argv }: Program): Promise<RunningProgram> {
    const [command = "", ...args] = argv;
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "ignore"] });
    const ended = once(child, "close").then(() => ({ code: child.exitCode, signal: null, timedOut: false }));
    return await Promise.resolve({
      stdout: child.stdout,
      ended,
      stderr: () => "",
      write: async () => await Promise.resolve(),
      end: async () => await Promise.resolve(),
      [Symbol.asyncDispose]: async () => {
        child.kill();
        await ended;
      },
    });
  }

  async prepareMonitor({ newNetns }: { readonly newNetns: boolean }): Promise<MonitorSlot> {
    // It says a byte when the namespace is made, and ends with its standard input.
    const script = newNetns ? "ip link set lo up; echo; exec cat" : "echo; exec cat";
    const [command, ...args] = newNetns ? ["unshare", "--net", "sh", "-c", script] : ["sh", "-c", script];
    const child = spawn(command ?? "", args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#slots.add(child);
    await once(child.stdout, "data");
    const sockets = new PortSockets();
    this.#sockets.set(child.pid ?? 0, sockets);
    return {
      pid: child.pid ?? 0,
      holdPorts: async (ports) => await sockets.hold(ports),
      start: async () => await Promise.reject(new Error("this shim starts no containers")),
      [Symbol.asyncDispose]: async () => await this.#end(child),
    };
  }

  /** What the end of a slot's container does: its ports are free before anybody hears of it. */
  async freePorts(pid: number): Promise<void> {
    await this.#sockets.get(pid)?.close();
  }

  /** What a crash of the daemon does to the slots that wait: all but those of running containers end. */
  async endSlots(except: readonly number[]): Promise<void> {
    const ending = [...this.#slots].filter(({ pid }) => !except.includes(pid ?? 0));
    await Promise.all(ending.map(async (child) => await this.#end(child)));
  }

  async #end(child: ChildProcess): Promise<void> {
    await this.freePorts(child.pid ?? 0);
    if (!this.#slots.delete(child)) return;
    const exited = once(child, "exit");
    child.stdin?.end();
    await exited;
  }
}

interface Step {
  readonly inside: readonly string[];
  readonly program: readonly string[];
  readonly input: string;
}

/** Lines of one kind behind each other are one program's. */
function programsFor(lines: readonly string[], mode: "each" | undefined): Step[] {
  const steps: Step[] = [];
  let inside: readonly string[] = [];
  let waiting: string[] = [];
  const flush = (): void => {
    const force = mode === "each" ? ["-force"] : [];
    if (waiting.length > 0) steps.push({ inside, program: ["ip", ...force, "-batch", "-"], input: waiting.join("\n") });
    waiting = [];
  };
  for (const line of lines) {
    const [, word, rest = ""] = /^(netns|sysctl) (.*)$/.exec(line) ?? [];
    if (word === undefined) waiting.push(line);
    else flush();
    if (word === "netns") inside = ["nsenter", `--net=${rest}`];
    if (word === "sysctl") steps.push({ inside, program: ["sysctl", "-e", "-q", "-w", rest], input: "" });
  }
  flush();
  return steps;
}
