import type { HealthcheckInstruction } from "./dockerfile.ts";
import { readFlags, type FlagForm } from "./flags.ts";
import { healthcheckTimes } from "./healthcheck-times.ts";
import { jsonWords } from "./json-words.ts";
import { SyntaxFault } from "./syntax-fault.ts";
import { placeOf, type Written } from "./instruction-reader.ts";

const healthcheckFlags: Readonly<
  Record<"interval" | "timeout" | "start-period" | "start-interval" | "retries", FlagForm>
> = { interval: "one", timeout: "one", "start-period": "one", "start-interval": "one", retries: "one" };

/** HEALTHCHECK: NONE, or flags and CMD. Faults: `SyntaxFault`. */
export function parseHealthcheck(written: Written): HealthcheckInstruction {
  const { rest } = written;
  const place = placeOf(written);
  if (rest.text === "") throw new SyntaxFault("HEALTHCHECK requires at least one argument", written.span);
  const type = rest.slice(0, /^\S*/.exec(rest.text)?.[0].length ?? 0);
  const command = rest.slice(type.text.length).trim();
  const name = type.text.toUpperCase();
  if (name === "NONE") {
    if (command.text !== "") throw new SyntaxFault("HEALTHCHECK NONE takes no arguments", command.span);
    return { kind: "healthcheck", ...place };
  }
  const found = readFlags(written.flags, healthcheckFlags);
  const flags = Array.from(found, ([flag, values]) => values.map((value) => ({ name: flag, value }))).flat();
  healthcheckTimes(flags);
  if (name !== "CMD") {
    const message = `Unknown type ${JSON.stringify(name)} in HEALTHCHECK (try CMD)`;
    throw new SyntaxFault(message, type.span);
  }
  const words = jsonWords(command);
  if (command.text === "" || words?.length === 0)
    throw new SyntaxFault("Missing command after HEALTHCHECK CMD", written.span);
  const check =
    words === undefined
      ? ({ form: "shell", text: command.text } as const)
      : ({ form: "exec", args: words.map(({ text }) => text) } as const);
  return { kind: "healthcheck", ...place, check: { command: check, flags } };
}
