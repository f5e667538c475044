import { Fault } from "#core/fault";
import { parseGoBoolean } from "#core/go-boolean";

/** What `--security-opt` says, all options together; of one that comes twice the last holds. */
export interface SecurityOptions {
  readonly noNewPrivileges: boolean;
  /** Undefined: nothing was said. `custom` carries the text of a profile. */
  readonly seccomp?:
    | { readonly kind: "unconfined" }
    | { readonly kind: "builtin" }
    | { readonly kind: "custom"; readonly text: string };
  /** Name of a profile that the machine has loaded, or `unconfined`. */
  readonly apparmor?: string;
  /** SELinux: `disable`, `user:…`, `role:…`, `type:…`, `level:…`. */
  readonly labels: readonly string[];
  /** Whether the container may write to its cgroup; undefined: a privileged one may. */
  readonly writableCgroups?: boolean;
}

/** Reads `--security-opt` values: `key=value`, or `key:value` as of old. Faults `invalid` in Docker's words. */
export function parseSecurityOptions(options: readonly string[]): SecurityOptions {
  const parsed: SecurityOptions = { noNewPrivileges: false, labels: [] };
  for (const option of options) Object.assign(parsed, readOption(option, parsed));
  return parsed;
}

function readOption(option: string, before: SecurityOptions): Partial<SecurityOptions> {
  if (option === "no-new-privileges") return { noNewPrivileges: true };
  if (option === "writable-cgroups") return { writableCgroups: true };
  if (option === "disable") return { labels: [...before.labels, "disable"] };
  const separator = option.includes("=") ? "=" : ":";
  const at = option.indexOf(separator);
  if (at < 0) throw new Fault("invalid", `invalid --security-opt 1: ${quote(option)}`);
  const value = option.slice(at + 1);
  switch (option.slice(0, at)) {
    case "label":
      return { labels: [...before.labels, value] };
    case "apparmor":
      return { apparmor: value };
    case "seccomp":
      return { seccomp: readSeccomp(value) };
    case "no-new-privileges":
      return { noNewPrivileges: readBoolean(value, option) };
    case "writable-cgroups":
      return { writableCgroups: readBoolean(value, option) };
    default:
      throw new Fault("invalid", `invalid --security-opt 2: ${quote(option)}`);
  }
}

function readSeccomp(value: string): NonNullable<SecurityOptions["seccomp"]> {
  if (value === "unconfined" || value === "builtin") return { kind: value };
  return value === "" ? { kind: "builtin" } : { kind: "custom", text: value };
}

function readBoolean(value: string, option: string): boolean {
  const parsed = parseGoBoolean(value);
  if (parsed !== undefined) return parsed;
  throw new Fault("invalid", `invalid --security-opt 2: ${quote(option)}`);
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}
