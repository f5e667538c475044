import { defineCommand } from "../command.ts";
import { text, toggle } from "../flags/flag.ts";
import { writeOutput } from "../streaming.ts";
import { timestamp } from "../timestamps.ts";

/** `slipway logs`. */
export const logs = defineCommand({
  usage: "[OPTIONS] CONTAINER",
  summary: "Show the output of a container",
  examples: [
    ["slipway logs -f web", "Show the output, and go on as it grows"],
    ["slipway logs --since 10m --tail 100 web", "The last hundred lines of the last ten minutes"],
  ],
  flags: {
    details: toggle("Show labels and variables that the log keeps"),
    follow: toggle("Go on with what comes", { short: "f" }),
    since: text("From this time on: 2026-01-31T12:00:00Z, seconds since 1970, or 42m for 42 minutes ago"),
    tail: text("How many lines from the end", { short: "n", initial: "all" }),
    timestamps: toggle("Show the time of each line", { short: "t" }),
    until: text("Up to this time; forms as for --since"),
  },
  args: [1, 1],
  completes: "containers",
  run: async ({ args, around, values }) => {
    const [name = ""] = args;
    const { containers } = await around.client();
    const since = timestamp(values.since, "since");
    const until = timestamp(values.until, "until");
    const { Config, Id } = await containers.inspect(name);
    const output = await containers.logs(Id, {
      stdout: true,
      stderr: true,
      tty: Config.Tty,
      follow: values.follow,
      timestamps: values.timestamps,
      details: values.details,
      tail: values.tail,
      ...(since !== undefined && { since }),
      ...(until !== undefined && { until }),
    });
    await writeOutput(around, output);
    return 0;
  },
});
