import { parseGoBoolean } from "../go-boolean.ts";
import { parseSize } from "../size.ts";
import type { Raw } from "./dockerfile.ts";
import { suggestion } from "./likely-word.ts";
import { SyntaxFault } from "./syntax-fault.ts";

/** What a `--mount` of RUN asks for; `target` as written, relative to the working directory. */
export type RunMount =
  | {
      readonly type: "bind";
      readonly from?: string;
      readonly source?: string;
      readonly target: string;
      readonly readOnly: boolean;
    }
  | ({
      readonly type: "cache";
      /** Absent: the target names the cache. */
      readonly id?: string;
      readonly from?: string;
      readonly source?: string;
      readonly target: string;
      readonly readOnly: boolean;
      readonly sharing: "shared" | "private" | "locked";
    } & FileOwner)
  | { readonly type: "tmpfs"; readonly target: string; readonly readOnly: boolean; readonly sizeBytes?: number }
  | ({
      readonly type: "secret";
      /** Of the build's secrets: `id`, else the target's last name. */
      readonly id: string;
      /** Absent when it comes as a variable alone; `/run/secrets/ID` when neither is named. */
      readonly target?: string;
      /** The variable that holds it. */
      readonly env?: string;
      readonly required: boolean;
    } & FileOwner)
  | ({
      readonly type: "ssh";
      readonly id: string;
      /** Absent: `/run/buildkit/ssh_agent.N`, and SSH_AUTH_SOCK says which. */
      readonly target?: string;
      readonly required: boolean;
    } & FileOwner);

/** Whose the mounted file or folder is; absent: the defaults of its type. */
export interface FileOwner {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** Reads one `--mount`; `expand` is asked for each value, after the list is taken apart. Faults: `SyntaxFault`, in BuildKit's words. */
export function parseRunMount(raw: Raw, expand: (value: Raw) => string = ({ text }) => text): RunMount {
  const options = new Options(raw);
  for (const field of fieldsOf(raw)) options.take(field, expand);
  return options.finished();
}

/** What can be said of one before its variables have values. Faults: as of `parseRunMount`. */
export function checkRunMount(raw: Raw): void {
  for (const field of fieldsOf(raw)) {
    const [name = "", value = ""] = field.split(/=([^]*)/);
    if (name.toLowerCase() === "from" && /\$[^]/.test(value)) {
      const message = `'from' doesn't support variable expansion, define alias stage instead`;
      throw new SyntaxFault(message, raw.span);
    }
  }
  if (!raw.text.includes("$")) parseRunMount(raw);
}

const types = ["bind", "cache", "tmpfs", "secret", "ssh"] as const;
const sharings = ["shared", "private", "locked"] as const;

/** `a=b,"c=d,e"`: as a line of comma-separated values (RFC 4180). */
function fieldsOf({ text, span }: Raw): string[] {
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    const { field, end } = text[at] === '"' ? quotedField(text, at, span) : plainField(text, at);
    fields.push(field);
    if (end >= text.length) return fields;
    if (text[end] !== ",") throw new SyntaxFault("failed to parse csv mounts: bare quote in field", span);
    at = end + 1;
  }
}

function plainField(text: string, start: number): { field: string; end: number } {
  const comma = text.indexOf(",", start);
  const end = comma < 0 ? text.length : comma;
  return { field: text.slice(start, end), end };
}

function quotedField(text: string, start: number, span: Raw["span"]): { field: string; end: number } {
  let field = "";
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '"' && text[at + 1] !== '"') return { field, end: at + 1 };
    if (text[at] === '"') at++;
    field += text[at] ?? "";
  }
  throw new SyntaxFault("failed to parse csv mounts: missing closing quote", span);
}

type Name = "from" | "source" | "target" | "id" | "env";

class Options {
  readonly #span: Raw["span"];
  readonly #texts: Partial<Record<Name, string>> = {};
  readonly #numbers: { mode?: number; uid?: number; gid?: number } = {};
  #type: (typeof types)[number] = "bind";
  #readOnly: boolean | undefined;
  #required = false;
  #sizeBytes: number | undefined;
  #sharing: (typeof sharings)[number] | undefined;

  constructor({ span }: Raw) {
    this.#span = span;
  }

  take(field: string, expand: (value: Raw) => string): void {
    const equals = field.indexOf("=");
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    if (equals < 0 && !["readonly", "ro", "readwrite", "rw", "required"].includes(key))
      throw this.#wrong(`invalid field '${field}' must be a key=value pair`);
    const value = equals < 0 ? "true" : expand({ text: field.slice(equals + 1), span: this.#span });
    this.#set(key, value, field);
  }

  #set(key: string, value: string, field: string): void {
    switch (key) {
      case "type":
        this.#type = this.#oneOf(types, value, "unsupported mount type");
        return;
      case "from":
      case "id":
      case "env":
        this.#texts[key] = value;
        return;
      case "source":
      case "src":
        this.#texts.source = value;
        return;
      case "target":
      case "dst":
      case "destination":
        this.#texts.target = value;
        return;
      case "readonly":
      case "ro":
        this.#readOnly = this.#truth(key, value);
        return;
      case "readwrite":
      case "rw":
        this.#readOnly = !this.#truth(key, value);
        return;
      case "required":
        this.#onlyFor(key, "secret", "ssh");
        this.#required = this.#truth(key, value);
        return;
      case "size":
        this.#onlyFor(key, "tmpfs");
        this.#sizeBytes = parseSize(value);
        if (this.#sizeBytes === undefined) throw this.#wrong(`invalid value for ${key}: ${value}`);
        return;
      case "sharing":
        this.#sharing = this.#oneOf(sharings, value, "unsupported sharing value");
        return;
      case "mode":
      case "uid":
      case "gid":
        this.#numbers[key] = this.#number(key, value);
        return;
      default:
        throw this.#wrong(`unexpected key '${key}' in '${field}'${suggestion(key, keys)}`);
    }
  }

  finished(): RunMount {
    const type = this.#type;
    if (type === "bind" || type === "tmpfs") {
      const [owner] = Object.keys(this.#numbers);
      if (owner !== undefined) throw this.#wrong(`${owner} not allowed for "${type}" type mounts`);
    }
    if (type === "secret") this.#checkSecret();
    if (this.#sharing !== undefined && type !== "cache")
      throw this.#wrong(`invalid cache sharing set for ${type} mount`);
    return this.#made[type]();
  }

  readonly #made: Readonly<Record<RunMount["type"], () => RunMount>> = {
    bind: () => ({ type: "bind", ...this.#tree(), target: this.#target() }),
    cache: () => {
      const sharing = this.#sharing ?? "shared";
      return {
        type: "cache",
        ...this.#named("id"),
        ...this.#tree(),
        target: this.#target(),
        sharing,
        ...this.#numbers,
      };
    },
    tmpfs: () => {
      const size = this.#sizeBytes === undefined ? {} : { sizeBytes: this.#sizeBytes };
      return { type: "tmpfs", target: this.#target(), readOnly: this.#readOnly ?? false, ...size };
    },
    secret: () => {
      const id = this.#secretId();
      const { env } = this.#texts;
      const variable = env === undefined ? {} : { env: env === "" ? id : env };
      return { type: "secret", id, ...this.#named("target"), ...variable, required: this.#required, ...this.#numbers };
    },
    ssh: () => {
      const id = "default";
      return { type: "ssh", id, ...this.#named("id", "target"), required: this.#required, ...this.#numbers };
    },
  };

  /** Where a bind mount or a cache begins. */
  #tree(): { from?: string; source?: string; readOnly: boolean } {
    return { ...this.#named("from", "source"), readOnly: this.#readOnly ?? this.#type === "bind" };
  }

  /** Those of the options that say something. */
  #named(...names: readonly Name[]): Partial<Record<Name, string>> {
    return Object.fromEntries(
      names.flatMap((name) => {
        const text = this.#texts[name];
        return text === undefined || text === "" ? [] : [[name, text]];
      }),
    );
  }

  #checkSecret(): void {
    const { from = "", source = "", target = "", id = "" } = this.#texts;
    if (from !== "") throw this.#wrong("secret mount should not have a from");
    if (this.#sharing !== undefined) throw this.#wrong("secret mount should not define sharing");
    if (source === "" && target === "" && id === "")
      throw this.#wrong("invalid secret mount. one of source, target required");
    if (source !== "" && id !== "") throw this.#wrong("both source and id can't be set");
  }

  #secretId(): string {
    const { id = "", source = "", target = "" } = this.#texts;
    if (id !== "") return id;
    return source === "" ? (target.split("/").findLast((part) => part !== "") ?? "") : source;
  }

  /** Without one it is the working directory itself. */
  #target(): string {
    const { target = "" } = this.#texts;
    return target === "" ? "." : target;
  }

  #oneOf<Known extends string>(known: readonly Known[], value: string, message: string): Known {
    const found = known.find((each) => each === value.toLowerCase());
    if (found !== undefined) return found;
    throw this.#wrong(`${message} ${JSON.stringify(value)}${suggestion(value, known)}`);
  }

  #onlyFor(key: string, ...allowed: readonly string[]): void {
    if (!allowed.includes(this.#type)) throw this.#wrong(`unexpected key '${key}' for mount type '${this.#type}'`);
  }

  #truth(key: string, value: string): boolean {
    const truth = parseGoBoolean(value);
    if (truth === undefined) throw this.#wrong(`invalid value for ${key}: ${value}`);
    return truth;
  }

  #number(key: "mode" | "uid" | "gid", value: string): number {
    const form = key === "mode" ? /^[0-7]{1,11}$/ : /^\d{1,10}$/;
    const number = form.test(value) ? Number.parseInt(value, key === "mode" ? 8 : 10) : Number.NaN;
    if (!(number < 2 ** 32)) throw this.#wrong(`invalid value ${value} for ${key}`);
    return number;
  }

  #wrong(message: string): SyntaxFault {
    return new SyntaxFault(message, this.#span);
  }
}

const keys = [
  ...["type", "from", "source", "target", "readonly", "id", "sharing", "required", "size", "mode", "uid", "gid"],
  ...["src", "dst", "destination", "ro", "rw", "readwrite", "env"],
];
