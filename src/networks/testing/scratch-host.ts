import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Monitor, type MonitorSlot, openHost } from "#host";
import { run } from "./machines.ts";

type ScratchHost = Awaited<ReturnType<typeof openHost>> & { readonly zygote: number };

/** A host, with the real shim, in a scratch folder; disposing it ends its zygote too. */
export async function openScratchHost(): Promise<ScratchHost> {
  const root = join(import.meta.dirname, "../../..");
  execFileSync(join(root, "shim/build.sh"), { stdio: "inherit" });
  const folder = mkdtempSync(join(tmpdir(), "slipway-networks-"));
  const host = await openHost({
    dataRoot: join(folder, "data"),
    execRoot: join(folder, "exec"),
    shimPath: join(root, "build/shim/slipway-shim"),
  });
  // The oldest: those that it forks bear its name for a moment.
  const zygote = Number(run("pgrep", "-o", "-f", `zygote --socket ${folder}/`));
  return {
    ...host,
    zygote,
    [Symbol.asyncDispose]: async () => {
      await host[Symbol.asyncDispose]();
      process.kill(zygote);
      while (existsSync(`/proc/${zygote}/ns/net`)) await sleep(20);
      rmSync(folder, { recursive: true });
    },
  };
}

/** A container that the slot's monitor runs, which is nothing but a process that sleeps in the slot's network; disposing it ends it. */
export async function startIn(slot: MonitorSlot): Promise<{ readonly monitor: Monitor } & AsyncDisposable> {
  const dir = mkdtempSync(join(tmpdir(), "slipway-slot-"));
  const pidFile = join(dir, "pid");
  const { monitor } = await slot.start({
    id: "sleeper",
    dir,
    log: { dir: join(dir, "log"), maxSizeBytes: 1 << 20, maxFiles: 1, inMemory: true },
    tty: false,
    stdinOpen: false,
    stdinOnce: false,
    mounts: [],
    runtimeArgv: ["sh", "-c", `sleep 1000 >/dev/null 2>&1 & echo $! >${pidFile}`],
    deleteArgv: ["true"],
    pidFile,
  });
  return {
    monitor,
    [Symbol.asyncDispose]: async () => {
      await monitor.signal(9);
      await monitor.gone;
      rmSync(dir, { recursive: true });
    },
  };
}
