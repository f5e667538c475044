import { Fault, isFault } from "#core/fault";
import type { Program, Shim } from "#host";

/** The foreign programs that set up networks, run by the shim; a program that fails is a Fault `internal` with its own words. */
export class NetworkPrograms {
  readonly #shim: Pick<Shim, "runToEnd">;
  #conntrackMissing = false;

  constructor(shim: Pick<Shim, "runToEnd">) {
    this.#shim = shim;
  }

  /** Runs the lines as one `ip -batch`, stopping at the first that fails. */
  async ip(lines: readonly string[]): Promise<void> {
    await this.#run({ argv: ["ip", "-batch", "-"] }, lines.join("\n"));
  }

  /** Runs all of the lines, whatever fails: for removals, where being gone already is fine. */
  async ipEach(lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    await this.#shim.runToEnd({ argv: ["ip", "-force", "-batch", "-"], input: lines.join("\n"), timeLimitMs });
  }

  /** Runs the lines as one `ip -batch` in a network namespace. */
  async ipInside(netns: string, lines: readonly string[]): Promise<void> {
    await this.#run({ argv: ["ip", "-batch", "-"], netns }, lines.join("\n"));
  }

  /** The shim's own `link` in a network namespace: an interface with IPv4 alone gets its place and is started. */
  async linkInside(netns: string, words: readonly string[]): Promise<void> {
    await this.#run({ argv: words, builtin: "link", netns });
  }

  /** What `ip -json …` lists; empty when the asked for link does not exist. */
  async ipList(...args: readonly string[]): Promise<unknown[]> {
    const end = await this.#start({ argv: ["ip", "-json", ...args] });
    if (end.code !== 0) {
      if (/does not exist|Cannot find device/.test(end.stderr)) return [];
      throw failure("ip", end.stderr);
    }
    const text = new TextDecoder().decode(end.stdout).trim();
    const rows: unknown = text === "" ? [] : JSON.parse(text);
    // `ip` prints [{},{…}] for rows that a filter hides.
    return Array.isArray(rows) ? rows.filter((row: object): row is object => Object.keys(row).length > 0) : [];
  }

  /** Applies the text as one nftables transaction: all of it or nothing. */
  async nft(transaction: string): Promise<void> {
    await this.#run({ argv: ["nft", "-f", "-"] }, transaction);
  }

  /** The tables (`inet slipway`) without their elements; undefined when one is missing. */
  async nftShape(tables: readonly string[]): Promise<string | undefined> {
    // Several in one run are not found by nft 1.0.6.
    const ends = await Promise.all(
      tables.map(async (table) => await this.#start({ argv: ["nft", "-t", "list", "table", ...table.split(" ")] })),
    );
    if (ends.some(({ code }) => code !== 0)) return undefined;
    return ends.map(({ stdout }) => new TextDecoder().decode(stdout)).join("");
  }

  /** All rules of the host, as JSON. */
  async nftRuleset(): Promise<string> {
    return await this.#run({ argv: ["nft", "-j", "list", "ruleset"] });
  }

  /** Sets kernel settings; those that this kernel does not know (no IPv6) are passed over. */
  async setKernel(settings: Readonly<Record<string, string>>, netns?: string): Promise<void> {
    await this.#run({
      argv: ["sysctl", "-e", "-q", "-w", ...Object.entries(settings).map(([key, value]) => `${key}=${value}`)],
      ...(netns !== undefined && { netns }),
    });
  }

  /** The value of one kernel setting. */
  async readKernel(key: string): Promise<string> {
    return (await this.#run({ argv: ["sysctl", "-n", key] })).trim();
  }

  /** All kernel settings whose names match the expression; the names have slashes. */
  async readKernels(pattern: string): Promise<{ readonly key: string; readonly value: string }[]> {
    const text = await this.#run({ argv: ["sysctl", "-a", "--pattern", pattern] });
    return [...text.matchAll(/^(\S+) = (.*)$/gm)].map(([, key = "", value = ""]) => ({
      key: key.includes("/") ? key : key.replaceAll(".", "/"),
      value,
    }));
  }

  /** Deletes connection tracking entries that match; does nothing where conntrack(8) is not installed. */
  async forgetConnections(...filter: readonly string[]): Promise<void> {
    if (this.#conntrackMissing) return;
    try {
      // It exits with 1 when nothing matched.
      await this.#shim.runToEnd({ argv: ["conntrack", "-D", ...filter], timeLimitMs });
    } catch (error) {
      if (!isFault(error, "notFound")) throw error;
      this.#conntrackMissing = true;
    }
  }

  async #run(program: Program, input?: string): Promise<string> {
    const end = await this.#start(program, input);
    if (end.code !== 0) throw failure(program.argv[0] ?? "", end.stderr);
    return new TextDecoder().decode(end.stdout);
  }

  async #start(program: Program, input = ""): ReturnType<Shim["runToEnd"]> {
    try {
      return await this.#shim.runToEnd({ ...program, input, timeLimitMs });
    } catch (error) {
      if (!isFault(error, "notFound")) throw error;
      const name = program.argv[0] ?? "";
      throw new Fault("unsupported", `the program ${name} is not installed`, {
        cause: error,
        remedy: `Install the package ${packageOf[name] ?? name}.`,
      });
    }
  }
}

const timeLimitMs = 30_000;
const packageOf: Readonly<Record<string, string>> = { ip: "iproute2", nft: "nftables", sysctl: "procps" };

function failure(program: string, stderr: string): Fault {
  return new Fault("internal", `${program} failed: ${stderr.trim().slice(0, 2000)}`);
}
