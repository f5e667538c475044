import { accessSync, constants } from "node:fs";
import { isAbsolute, join } from "node:path";
import { Fault } from "#core/fault";
import type { CgroupLayout } from "./cgroups.ts";
import type { Host } from "./host.ts";

const folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** Finds the OCI runtimes; the default is crun, or runc where crun is missing or cannot work with this machine's hybrid cgroups. */
export function findRuntimes(
  layout: CgroupLayout,
  options: { readonly defaultRuntime?: string; readonly runtimes?: Readonly<Record<string, string>> },
): Host["runtimes"] {
  const paths: Record<string, string> = {};
  for (const name of ["crun", "runc"]) {
    const path = findProgram(name);
    if (path !== undefined) paths[name] = path;
  }
  for (const [name, path] of Object.entries(options.runtimes ?? {})) {
    const found = findProgram(path);
    if (found === undefined) throw new Fault("invalid", `runtime ${name}: ${path} is not an executable program`);
    paths[name] = found;
  }
  if (options.defaultRuntime !== undefined && paths[options.defaultRuntime] === undefined) {
    throw new Fault("invalid", `the default runtime ${options.defaultRuntime} is neither installed nor added`, {
      remedy: `Install it, or name its program: --add-runtime ${options.defaultRuntime}=/path.`,
    });
  }
  return { default: options.defaultRuntime ?? preferred(paths, layout), paths };
}

/** Absolute path of a program: itself when absolute and executable, else looked up in the system's folders. */
export function findProgram(name: string): string | undefined {
  const candidates = isAbsolute(name) ? [name] : folders.map((folder) => join(folder, name));
  return candidates.find(isExecutable);
}

function preferred(paths: Readonly<Record<string, string>>, layout: CgroupLayout): string {
  const crunWorks = paths["crun"] !== undefined && (layout.version === 2 || layout.freeInUnified.length === 0);
  return crunWorks || paths["runc"] === undefined ? "crun" : "runc";
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
