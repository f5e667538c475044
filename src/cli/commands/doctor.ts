import { defaultHost } from "#api/client";
import { defineCommand } from "../command.ts";
import { text } from "../flags/flag.ts";
import { write } from "../surroundings.ts";
import { jsonText } from "../template/functions.ts";

/** `slipway doctor`. */
export const doctor = defineCommand({
  usage: "[OPTIONS]",
  summary: "Check this machine, and say what to mend",
  description: "Changes nothing, and needs no daemon. Exit code 1 when containers cannot run here.",
  flags: {
    "data-root": text("Folder of the daemon's durable state", { initial: "/var/lib/slipway" }),
    format: text("json", {}),
  },
  args: [0, 0],
  run: async ({ around, values }) => {
    if (values.format !== "" && values.format !== "json") throw new Error("doctor knows only --format json");
    const { examine, machineProbe, shimPath } = await loadDoctor();
    const findings = examine(machineProbe, {
      dataRoot: values["data-root"],
      socketPath: defaultHost.replace("unix://", ""),
      shimPath: shimPath(),
    });
    const failed = findings.filter(({ level }) => level === "failure").length;
    if (values.format === "json") await write(around.stdout, `${jsonText(findings)}\n`);
    else await write(around.stdout, report(findings, failed, around.stdout.isTTY));
    return failed > 0 ? 1 : 0;
  },
});

async function loadDoctor() {
  return await import("#doctor");
}

type Findings = ReturnType<Awaited<ReturnType<typeof loadDoctor>>["examine"]>;

function report(findings: Findings, failed: number, inColour: boolean): string {
  const width = Math.max(...findings.map(({ name }) => name.length));
  const marks = { ok: ["ok  ", "32"], warning: ["warn", "33"], failure: ["FAIL", "31"] } as const;
  const lines = findings.map(({ level, name, remedy, text }) => {
    const [mark, colour] = marks[level];
    const shown = inColour ? `\x1b[${colour}m${mark}\x1b[0m` : mark;
    return `${shown}  ${name.padEnd(width)}  ${text}\n${remedy === undefined ? "" : `${" ".repeat(width + 8)}→ ${remedy}\n`}`;
  });
  const warned = findings.filter(({ level }) => level === "warning").length;
  const last =
    failed > 0
      ? `${failed} to mend before containers can run`
      : warned > 0
        ? `Containers can run; ${warned} worth a look`
        : "All is well";
  return `${lines.join("")}\n${last}.\n`;
}
