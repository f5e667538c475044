import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { connectShim, stopZygote } from "./shim.ts";
import type {
  Attachment,
  AttachRequest,
  ExecStart,
  Monitor,
  MonitorSlot,
  MonitorStart,
  MountOp,
  Shim,
} from "./shim-types.ts";

const repository = resolve(import.meta.dirname, "../../..");
const applets =
  "sh true false sleep cat echo yes head seq stty ls id kill dd printf wc tr tail env nohup mkdir rm touch mount".split(
    " ",
  );

/** For tests only: a zygote of its own, a busybox root filesystem and real crun, in a folder that `dispose` removes. */
export interface TestBed extends AsyncDisposable {
  readonly dir: string;
  readonly shim: Shim;
  readonly socketPath: string;
  readonly rootfs: string;
  /** What a start of these arguments needs; a bundle is written for it. */
  container(args: readonly string[], options?: BedOptions): Promise<MonitorStart>;
  /** A container that has been started. */
  start(args: readonly string[], options?: BedOptions): Promise<Started>;
  /** The arguments of an exec in it. */
  execOf(start: MonitorStart, args: readonly string[], options?: Partial<ExecStart>): Promise<ExecStart>;
}

/** What tests vary. */
export interface BedOptions extends Partial<
  Pick<MonitorStart, "tty" | "stdinOpen" | "stdinOnce" | "size" | "mounts" | "log">
> {
  readonly rootPath?: string;
  readonly newNetns?: boolean;
  /** Entries of the OCI config's process object. */
  readonly process?: object;
  /** Attached before the first byte. */
  readonly attach?: Partial<AttachRequest>;
}

/** A started container with its first attachment. */
export interface Started {
  readonly start: MonitorStart;
  readonly slot: MonitorSlot;
  readonly monitor: Monitor;
  readonly pid: number;
  readonly attachment: Attachment;
}

/** Opens a bed; the shim is built if its sources are newer. SLIPWAY_SHIM_KIND=sanitize takes the build with checks. */
export async function openTestBed(): Promise<TestBed> {
  const kind = process.env["SLIPWAY_SHIM_KIND"] ?? "musl";
  execFileSync(join(repository, "shim/build.sh"), [kind], { stdio: "inherit" });
  const dir = await mkdtemp(join(tmpdir(), "slipway-shim-"));
  const rootfs = await makeRootfs(dir);
  const socketPath = join(dir, "zygote.sock");
  const shimPath = join(repository, "build/shim", kind === "musl" ? "slipway-shim" : `slipway-shim-${kind}`);
  const shim = await connectShim({ socketPath, shimPath });
  const started: Started[] = [];
  const bed: TestBed = {
    dir,
    shim,
    socketPath,
    rootfs,
    container: (args, options = {}) => writeContainer(dir, rootfs, args, options),
    async start(args, options = {}) {
      const result = await startContainer(bed, args, options);
      started.push(result);
      return result;
    },
    execOf: (start, args, options = {}) => writeExec(dir, start, args, options),
    async [Symbol.asyncDispose]() {
      for (const { monitor } of started) await endContainer(monitor);
      await stopZygote(socketPath);
      await rm(dir, { recursive: true, force: true });
    },
  };
  return bed;
}

/** All output of an attachment as text, by stream, and whether it ended with a gap. */
export async function readAll(attachment: Attachment): Promise<{ stdout: string; stderr: string; gap: boolean }> {
  const texts = { stdout: "", stderr: "", gap: false };
  for await (const item of attachment.output) {
    if (item.kind === "gap") texts.gap = true;
    else texts[item.chunk.stream] += Buffer.from(item.chunk.bytes).toString("latin1");
  }
  return texts;
}

async function startContainer(bed: TestBed, args: readonly string[], options: BedOptions): Promise<Started> {
  const start = await bed.container(args, options);
  const slot = await bed.shim.prepareMonitor({ newNetns: options.newNetns ?? false });
  let attachment: Attachment | undefined;
  const { monitor, pid } = await slot.start(start, async (held) => {
    attachment = await held.attach({
      streams: ["stdout", "stderr"],
      stdin: true,
      from: "now",
      throttle: true,
      ...options.attach,
    });
  });
  if (attachment === undefined) throw new Error("not attached");
  return { start, slot, monitor, pid, attachment };
}

async function endContainer(monitor: Monitor): Promise<void> {
  await monitor.signal(9).catch(() => undefined);
  await monitor.gone;
}

async function makeRootfs(dir: string): Promise<string> {
  const rootfs = join(dir, "rootfs");
  for (const folder of ["bin", "proc", "dev", "sys", "tmp"]) await mkdir(join(rootfs, folder), { recursive: true });
  await copyFile("/usr/bin/busybox", join(rootfs, "bin/busybox"));
  for (const applet of applets) await symlink("busybox", join(rootfs, "bin", applet));
  return rootfs;
}

async function writeContainer(
  dir: string,
  rootfs: string,
  args: readonly string[],
  options: BedOptions,
): Promise<MonitorStart> {
  const id = `shimtest-${randomBytes(6).toString("hex")}`;
  const bundle = join(dir, id);
  await mkdir(bundle);
  execFileSync("crun", ["spec"], { cwd: bundle });
  const config = JSON.parse(await readFile(join(bundle, "config.json"), "utf8"));
  config.process = { ...config.process, args, terminal: options.tty ?? false, ...options.process };
  delete config.process.rlimits;
  config.root = { path: options.rootPath ?? rootfs, readonly: false };
  config.linux.cgroupsPath = `/${id}`;
  await writeFile(join(bundle, "config.json"), JSON.stringify(config));
  const mounts: readonly MountOp[] = options.mounts ?? [];
  const crun = ["crun", "--root", join(dir, "crun")];
  return {
    id,
    dir: bundle,
    log: options.log ?? { dir: join(bundle, "log"), maxSizeBytes: 20 << 20, maxFiles: 5, inMemory: false },
    tty: options.tty ?? false,
    ...(options.size ? { size: options.size } : {}),
    stdinOpen: options.stdinOpen ?? false,
    stdinOnce: options.stdinOnce ?? false,
    mounts,
    runtimeArgv: [...crun, "run", "--bundle", bundle, "--pid-file", join(bundle, "pid"), "--detach", id],
    deleteArgv: [...crun, "delete", "--force", id],
    pidFile: join(bundle, "pid"),
  };
}

async function writeExec(
  dir: string,
  start: MonitorStart,
  args: readonly string[],
  options: Partial<ExecStart>,
): Promise<ExecStart> {
  const name = join(start.dir, `exec-${randomBytes(6).toString("hex")}`);
  const terminal = options.tty ?? false;
  await writeFile(
    `${name}.json`,
    JSON.stringify({ terminal, user: { uid: 0, gid: 0 }, args, env: ["PATH=/bin"], cwd: "/" }),
  );
  const argv = [
    "crun",
    "--root",
    join(dir, "crun"),
    "exec",
    "--process",
    `${name}.json`,
    "--detach",
    "--pid-file",
    `${name}.pid`,
    start.id,
  ];
  return { runtimeArgv: argv, pidFile: `${name}.pid`, tty: terminal, stdin: false, discardOutput: false, ...options };
}
