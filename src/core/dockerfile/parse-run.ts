import type { Command, Raw, RunInstruction } from "./dockerfile.ts";
import { readFlags, type FlagForm } from "./flags.ts";
import { heredocOf } from "./heredocs.ts";
import { jsonWords } from "./json-words.ts";
import { suggestion } from "./likely-word.ts";
import { checkRunMount } from "./run-mount.ts";
import { SyntaxFault } from "./syntax-fault.ts";
import { placeOf, type Written } from "./instruction-reader.ts";

/** RUN: a command and what it runs with. Faults: `SyntaxFault`. */
export function parseRun(written: Written): RunInstruction {
  const flags = readFlags(written.flags, runFlags);
  const [network] = flags.get("network") ?? [];
  const [security] = flags.get("security") ?? [];
  const mounts = flags.get("mount") ?? [];
  if (network !== undefined) checkOneOf(network, ["default", "none", "host"], (text) => `invalid network mode ${text}`);
  if (security !== undefined) checkOneOf(security, ["sandbox", "insecure"], (text) => `security ${text} is not valid`);
  for (const mount of mounts) checkRunMount(mount);
  return {
    kind: "run",
    ...placeOf(written),
    command: commandOf(written),
    mounts,
    devices: flags.get("device") ?? [],
    ...(network !== undefined && { network }),
    ...(security !== undefined && { security }),
  };
}

const runFlags: Readonly<Record<"mount" | "network" | "security" | "device", FlagForm>> = {
  mount: "several",
  network: "one",
  security: "one",
  device: "several",
};

function commandOf({ rest, documents, documentsText, span }: Written): Command {
  if (rest.text === "") throw new SyntaxFault("RUN requires at least one argument", span);
  const [document] = documents;
  if (document === undefined) {
    const words = jsonWords(rest);
    if (words?.length === 0) throw new SyntaxFault("RUN requires at least one argument", span);
    return words === undefined
      ? { form: "shell", text: rest.text }
      : { form: "exec", args: words.map(({ text }) => text) };
  }
  if (documents.length === 1 && heredocOf(rest.raw) !== undefined)
    return { form: "script", name: document.name, text: document.text };
  return { form: "shell", text: `${rest.text}\n${documentsText}` };
}

function checkOneOf(value: Raw, known: readonly string[], messageFor: (quoted: string) => string): void {
  if (known.includes(value.text)) return;
  const hint = suggestion(value.text, known);
  throw new SyntaxFault(`${messageFor(JSON.stringify(value.text))}${hint}`, value.span);
}
