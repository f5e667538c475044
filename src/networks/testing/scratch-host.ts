import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openHost } from "#host";
import { run } from "./machines.ts";

type ScratchHost = Awaited<ReturnType<typeof openHost>> & { readonly zygote: number };

/** A host with the real shim in a scratch folder; disposing it ends its zygote too. */
export async function openScratchHost(): Promise<ScratchHost> {
  const root = join(import.meta.dirname, "../../..");
  execFileSync(join(root, "shim/build.sh"), { stdio: "inherit" });
  const folder = mkdtempSync(join(tmpdir(), "slipway-networks-"));
  const host = await openHost({
    dataRoot: join(folder, "data"),
    execRoot: join(folder, "exec"),
    shimPath: join(root, "build/shim/slipway-shim"),
  });
  const zygote = Number(run("pgrep", "-f", `zygote --socket ${folder}/`));
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
