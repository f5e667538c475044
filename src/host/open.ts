import type { Host } from "./host.ts";

/** What one daemon instance asks of the machine. */
export interface HostOptions {
  readonly dataRoot: string;
  readonly execRoot: string;
  /** Absolute path of the shim's binary. */
  readonly shimPath: string;
  /** `--default-runtime`, and `--add-runtime name=path`. */
  readonly defaultRuntime?: string;
  readonly runtimes?: Readonly<Record<string, string>>;
}

/** Opens the machine for one daemon instance: takes the instance's lock, opens the database, connects the shim. */
export async function openHost(options: HostOptions): Promise<Host> {
  throw new Error(`not written yet: ${options.dataRoot}`);
}
