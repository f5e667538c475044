import type { CopyInstruction, CopySource, Heredoc, Raw } from "./dockerfile.ts";
import { readFlags, truthOf, type FlagForm } from "./flags.ts";
import { heredocOf } from "./heredocs.ts";
import { jsonWords } from "./json-words.ts";
import { splitAtBlanks } from "./split-words.ts";
import { SyntaxFault } from "./syntax-fault.ts";
import { placeOf, type Written } from "./instruction-reader.ts";

/** COPY and ADD: sources and where they go. Faults: `SyntaxFault`. */
export function parseCopy(written: Written, kind: "copy" | "add"): CopyInstruction {
  const name = kind.toUpperCase();
  const json = jsonWords(written.rest);
  const words = json ?? splitAtBlanks(written.rest).map((word) => word.raw);
  const target = words.pop();
  if (target === undefined || words.length === 0) {
    const message = `${name} requires at least two arguments, but only one was provided. Destination could not be determined`;
    throw new SyntaxFault(message, written.span);
  }
  const isDocument = json === undefined && written.documents.length > 0 && heredocOf(target) !== undefined;
  if (isDocument) throw new SyntaxFault(`${name} cannot accept a heredoc as a destination`, target.span);
  const documents = json === undefined ? [...written.documents] : [];
  return {
    kind,
    ...placeOf(written),
    sources: words.map((word) => sourceOf(word, documents)),
    target,
    ...optionsOf(written, kind),
  };
}

/** Documents come in the order of their words. */
function sourceOf(word: Raw, documents: Heredoc[]): CopySource {
  const [document] = documents;
  if (document === undefined || heredocOf(word)?.name !== document.name) return { kind: "path", path: word };
  documents.shift();
  return { kind: "heredoc", document };
}

const copyFlags: Readonly<Record<"from" | "chown" | "chmod" | "link" | "parents" | "exclude", FlagForm>> = {
  from: "one",
  chown: "one",
  chmod: "one",
  link: "boolean",
  parents: "boolean",
  exclude: "several",
};

const addFlags: Readonly<
  Record<"chown" | "chmod" | "link" | "exclude" | "checksum" | "keep-git-dir" | "unpack", FlagForm>
> = {
  chown: "one",
  chmod: "one",
  link: "boolean",
  exclude: "several",
  checksum: "one",
  "keep-git-dir": "boolean",
  unpack: "boolean",
};

type Options = Omit<CopyInstruction, "kind" | "span" | "original" | "sources" | "target">;

function optionsOf(written: Written, kind: "copy" | "add"): Options {
  const flags: ReadonlyMap<string, readonly Raw[]> =
    kind === "copy" ? readFlags(written.flags, copyFlags) : readFlags(written.flags, addFlags);
  const [from, chown, chmod, checksum] = ["from", "chown", "chmod", "checksum"].map((name) => flags.get(name)?.[0]);
  const unpack = truthOf(flags.get("unpack"));
  return {
    ...(from !== undefined && { from }),
    ...(chown !== undefined && { chown }),
    ...(chmod !== undefined && { chmod }),
    ...(checksum !== undefined && { checksum }),
    ...(unpack !== undefined && { unpack }),
    link: truthOf(flags.get("link")) === true,
    parents: truthOf(flags.get("parents")) === true,
    keepGitDir: truthOf(flags.get("keep-git-dir")) === true,
    excludes: flags.get("exclude") ?? [],
  };
}
