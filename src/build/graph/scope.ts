import type { ArgInstruction, Dockerfile, Raw } from "#core/dockerfile/dockerfile";
import { expandWord } from "#core/dockerfile/expand";
import type { Platform } from "#core/oci";
import { platformName } from "#core/platform";

/** What `--build-arg` gives; undefined: named without a value, and not set. */
export type GivenArgs = Readonly<Record<string, string | undefined>>;

/** The variables that instructions see: ENV over ARG, each from its instruction on. */
export class Scope {
  readonly args = new Map<string, string>();
  readonly #env: () => readonly string[];
  readonly #escape: "\\" | "`";

  constructor(escape: "\\" | "`", env: () => readonly string[]) {
    this.#env = env;
    this.#escape = escape;
  }

  lookup(name: string): string | undefined {
    return environmentValue(this.#env(), name) ?? this.args.get(name);
  }

  /** The text with its variables, without its quotes. Faults: `invalid` with the position. */
  word(raw: Raw): string {
    return expandWord(raw, (name) => this.lookup(name), { escape: this.#escape }).text;
  }

  /** ARG in a stage: what was given, else its default, else what the same ARG before the first FROM has. */
  declare(arg: ArgInstruction, given: GivenArgs, globals: ReadonlyMap<string, string>): void {
    for (const { name: rawName, value } of arg.args) {
      const name = this.word(rawName);
      const known = given[name] ?? (value === undefined ? globals.get(name) : this.word(value));
      if (known !== undefined) this.args.set(name, known);
    }
  }
}

/** The value of a variable in an environment, the last one where there are several. */
export function environmentValue(env: readonly string[], name: string): string | undefined {
  const start = `${name}=`;
  return env.findLast((variable) => variable.startsWith(start))?.slice(start.length);
}

/** Arguments that every file has before its first FROM, and that a stage takes by naming them in ARG. */
export function platformArgs(target: Platform, build: Platform, stage: string): Map<string, string> {
  return new Map([
    ["BUILDPLATFORM", platformName(build)],
    ["BUILDOS", build.os],
    ["BUILDARCH", build.architecture],
    ["BUILDVARIANT", build.variant ?? ""],
    ["TARGETPLATFORM", platformName(target)],
    ["TARGETOS", target.os],
    ["TARGETARCH", target.architecture],
    ["TARGETVARIANT", target.variant ?? ""],
    ["TARGETSTAGE", stage],
  ]);
}

/** Arguments that need no ARG: RUN sees them, nothing else does, and they are no part of what was built. */
export const passingArgs: readonly string[] = [
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "FTP_PROXY",
  "NO_PROXY",
  "ALL_PROXY",
].flatMap((name) => [name, name.toLowerCase()]);

/** The variables before the first FROM. */
export function globalScope(dockerfile: Dockerfile, given: GivenArgs, predefined: ReadonlyMap<string, string>): Scope {
  const scope = new Scope(dockerfile.escape, () => []);
  for (const [name, value] of predefined) scope.args.set(name, given[name] ?? value);
  for (const arg of dockerfile.globalArgs) scope.declare(arg, given, scope.args);
  return scope;
}
