import { Fault, isFault } from "#core/fault";
import type { Program, Shim } from "#host";

/** What sets up networks, by the shim: its own changes of links, and foreign programs; one that fails is a Fault `internal` with its own words. */
export class NetworkPrograms {
  readonly #shim: Pick<Shim, "runToEnd" | "changeLinks">;
  #conntrackMissing = false;

  constructor(shim: Pick<Shim, "runToEnd" | "changeLinks">) {
    this.#shim = shim;
  }

  /** Changes links by the lines, in the order of `Shim.changeLinks`, stopping at the first that fails. */
  async links(lines: readonly string[]): Promise<void> {
    if (lines.length > 0) await this.#shim.changeLinks(lines);
  }

  /** Changes links by all of the lines, whatever fails: for removals, where being gone already is fine. */
  async linksEach(lines: readonly string[]): Promise<void> {
    if (lines.length > 0) await this.#shim.changeLinks(lines, "each");
  }

  /** Runs the lines as one `ip -batch`: for kinds of links that the shim does not know. */
  async ip(lines: readonly string[], netns?: string): Promise<void> {
    await this.#run({ argv: ["ip", "-batch", "-"], ...(netns !== undefined && { netns }) }, lines.join("\n"));
  }

  /** What `ip -json …` lists; empty when the asked for link does not exist. */
  async ipList(...args: readonly string[]): Promise<unknown[]> {
    const end = await this.#start({ argv: ["ip", "-json", ...args] });
    if (end.code !== 0) {
      if (/does not exist|Cannot find device/.test(end.stderr)) return [];
      throw failure("ip", end.stderr);
    }
    return listsIn(new TextDecoder().decode(end.stdout));
  }

  /** The family's routes of all tables; with a selection (`root SUBNET`, `match SUBNET`) those of any of them. */
  async routes(family: 4 | 6, selections: readonly string[] = [""]): Promise<unknown[]> {
    const lines = selections.map((selection) => `route show table all ${selection}`);
    return listsIn(await this.#run({ argv: ["ip", "-json", `-${family}`, "-batch", "-"] }, lines.join("\n")));
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

/** The rows of all lists that `ip -json` printed, each on a line of its own; nothing, or `[{},{…}]`, for rows that a filter hides. */
function listsIn(text: string): object[] {
  return text
    .split("\n")
    .flatMap((line) => (line.trim() === "" ? [] : (JSON.parse(line) as object[])))
    .filter((row) => Object.keys(row).length > 0);
}

const timeLimitMs = 30_000;
const packageOf: Readonly<Record<string, string>> = { ip: "iproute2", nft: "nftables", sysctl: "procps" };

function failure(program: string, stderr: string): Fault {
  return new Fault("internal", `${program} failed: ${stderr.trim().slice(0, 2000)}`);
}
