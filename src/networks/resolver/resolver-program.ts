/**
 * How the resolver is started for that folder: this same program, in as little memory as it needs. The old generation's bound
 * holds the names of some 50,000 containers; a process that passes it ends and is started again.
 */
export function resolverProgram(folder: string): {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
} {
  const flags = ["--max-semi-space-size=1", "--max-old-space-size=256", "--v8-pool-size=1"];
  return {
    path: process.execPath,
    args: [...flags, process.argv[1] ?? "", "resolver", "--folder", folder],
    // A second arena of malloc would cost more than it saves; files are hardly read: one thread for them.
    env: { PATH: process.env["PATH"] ?? "", MALLOC_ARENA_MAX: "1", UV_THREADPOOL_SIZE: "1" },
  };
}
