import type { EventMessage } from "#api/client";
import { defineCommand } from "../command.ts";
import { filterFlag, filtersOf } from "../filter-flag.ts";
import { text } from "../flags/flag.ts";
import { untilInterrupted } from "../signals.ts";
import { write } from "../surroundings.ts";
import { jsonText } from "../template/functions.ts";
import { compileTemplate } from "../template/template.ts";
import { markMap } from "../template/value.ts";
import { rfc3339Local, timestamp } from "../timestamps.ts";

/** `slipway events`. */
export const events = defineCommand({
  usage: "[OPTIONS]",
  summary: "Follow what happens in the engine",
  examples: [
    ["slipway events -f type=container -f event=die", "The ends of containers, as they come"],
    ["slipway events --since 1h --until 0s", "What happened in the last hour"],
  ],
  flags: {
    filter: filterFlag("Show only what fits: type=…, event=…, container=…, image=…, label=…"),
    format: text("json, or a Go template for each event"),
    since: text("From this time on: 2026-01-31T12:00:00Z, seconds since 1970, or 42m for 42 minutes ago"),
    until: text("Up to this time; forms as for --since"),
  },
  args: [0, 0],
  run: async ({ around, values }) => {
    const show = formatter(values.format);
    const since = timestamp(values.since);
    const until = timestamp(values.until);
    using interrupted = untilInterrupted();
    const options = {
      ...(since !== undefined && { since }),
      ...(until !== undefined && { until }),
      filters: filtersOf(values.filter),
    };
    try {
      const messages = await (await around.client()).system.events(options, interrupted.signal);
      for await (const message of messages) await write(around.stdout, `${show(sorted(message))}\n`);
    } catch (error) {
      if (!interrupted.signal.aborted) throw error;
      return 130;
    }
    return 0;
  },
});

function formatter(format: string): (message: EventMessage) => string {
  if (format === "") return plainText;
  if (format === "json") return jsonText;
  const template = compileTemplate(format.replaceAll(String.raw`\t`, "\t").replaceAll(String.raw`\n`, "\n"));
  return (message) => template.render(fieldsOf(message));
}

/** What templates see: the fields by their Go names. */
function fieldsOf(message: EventMessage): object {
  const attributes = markMap({ ...message.Actor.Attributes });
  const names = {
    Status: message.status ?? message.Action,
    ID: message.id ?? message.Actor.ID,
    From: message.from ?? "",
    Scope: message.scope,
    Time: message.time,
    TimeNano: message.timeNano,
  };
  const fields = { ...message, Actor: { ...message.Actor, Attributes: attributes } };
  // Not enumerable: `{{json .}}` shows the message as it came.
  for (const [name, value] of Object.entries(names)) Object.defineProperty(fields, name, { value });
  return fields;
}

function sorted(message: EventMessage): EventMessage {
  const entries = Object.entries(message.Actor.Attributes ?? {}).sort(([left], [right]) => (left < right ? -1 : 1));
  return { ...message, Actor: { ...message.Actor, Attributes: Object.fromEntries(entries) } };
}

function plainText({ Action, Actor, time, timeNano, Type }: EventMessage): string {
  const nanos = timeNano === undefined ? BigInt(time) * 1_000_000_000n : timeNano;
  const fraction = `.${(nanos % 1_000_000_000n).toString().padStart(9, "0")}`;
  const when = rfc3339Local(Number(nanos / 1_000_000n), fraction);
  const pairs = Object.entries(Actor.Attributes ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .sort();
  return `${when} ${Type} ${Action} ${Actor.ID}${pairs.length === 0 ? "" : ` (${pairs.join(", ")})`}`;
}
