import { Fault } from "#core/fault";
import type { SeccompProfile, SeccompRule } from "./runtime-spec.ts";
import { kernelAtLeast } from "#core/kernel-version";
import type { SeccompFacts } from "./seccomp.ts";

/**
 * A person's own profile, in Docker's format: the OCI one with `archMap`, `name`, and `includes` and `excludes` of each
 * rule by capabilities, architectures and kernel, which are resolved here against the container. Undefined when the profile
 * is empty, which is no filter. Faults `invalid` in Docker's words.
 */
export function loadSeccompProfile(text: string, facts: SeccompFacts): SeccompProfile | undefined {
  const profile = decode(text);
  const { defaultAction = "", syscalls = [], architectures = [], archMap = [], flags } = profile;
  if (defaultAction === "" && syscalls.length === 0) return undefined;
  if (architectures.length > 0 && archMap.length > 0) {
    throw broken(
      "both 'architectures' and 'archMap' are specified in the seccomp profile, use either 'architectures' or 'archMap'",
    );
  }
  if (profile.listenerPath !== undefined && profile.listenerPath !== "") throw supervised();
  const native = nativeArchitectures[facts.architecture];
  const mapped = archMap.find(({ architecture }) => architecture === native);
  return {
    defaultAction: checkedAction(defaultAction),
    ...(profile.defaultErrnoRet !== undefined && { defaultErrnoRet: profile.defaultErrnoRet }),
    architectures: mapped === undefined ? architectures : [native ?? "", ...(mapped.subArchitectures ?? [])],
    ...(flags !== undefined && flags.length > 0 && { flags }),
    syscalls: syscalls.filter((rule) => applies(rule, facts)).map((rule) => resolved(rule)),
  };
}

/** profiles/seccomp: Seccomp and Syscall of Docker's Go types. */
interface DockerProfile {
  readonly defaultAction?: string;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly archMap?: readonly {
    readonly architecture?: string;
    readonly subArchitectures?: readonly string[] | null;
  }[];
  readonly flags?: readonly string[];
  readonly listenerPath?: string;
  readonly syscalls?: readonly DockerRule[];
}

interface DockerRule extends Partial<SeccompRule> {
  readonly name?: string;
  readonly includes?: RuleFilter | null;
  readonly excludes?: RuleFilter | null;
}

type RuleArgument = NonNullable<SeccompRule["args"]>[number];

interface RuleFilter {
  readonly caps?: readonly string[] | null;
  readonly arches?: readonly string[] | null;
  readonly minKernel?: string;
}

const nativeArchitectures: Readonly<Record<string, string>> = {
  amd64: "SCMP_ARCH_X86_64",
  arm64: "SCMP_ARCH_AARCH64",
};

const actions = new Set(
  "KILL KILL_PROCESS KILL_THREAD TRAP ERRNO TRACE ALLOW LOG".split(" ").map((name) => `SCMP_ACT_${name}`),
);
const operators = new Set("NE LT LE EQ GE GT MASKED_EQ".split(" ").map((name) => `SCMP_CMP_${name}`));

function decode(text: string): DockerProfile {
  let value: unknown;
  try {
    value = JSON.parse(text, (_key, item: unknown) => {
      // Past 2⁵³ a number is not what was written any more, and a filter must not be about another one.
      if (typeof item === "number" && !Number.isSafeInteger(item)) throw new Error(`the number ${item} is too large`);
      return item;
    });
  } catch (error) {
    throw broken(`decoding seccomp profile failed: ${(error as Error).message.slice(0, 200)}`, error);
  }
  const problem = shapeProblem(value);
  if (problem !== undefined) throw broken(`decoding seccomp profile failed: ${problem}`);
  return withoutNulls(value) as DockerProfile;
}

/** Go takes null for "not given", at every place. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  const given = Object.entries(value).filter(([, item]) => item !== null);
  return Object.fromEntries(given.map(([name, item]) => [name, withoutNulls(item)]));
}

/** What keeps the value from being a profile; undefined: nothing. */
function shapeProblem(value: unknown): string | undefined {
  if (!isObject(value)) return "it is no JSON object";
  const lists = ["architectures", "archMap", "flags", "syscalls"];
  const wrongList = lists.find((name) => !(isAbsent(value[name]) || Array.isArray(value[name])));
  if (wrongList !== undefined) return `${wrongList} is no list`;
  const entries = ["archMap", "syscalls"].flatMap((name) => (value[name] ?? []) as unknown[]);
  if (!entries.every(isObject)) return "an entry of a list is no object";
  const texts = ["architectures", "flags"].flatMap((name) => (value[name] ?? []) as unknown[]);
  if (!texts.every((item) => typeof item === "string")) return "an entry of a list is no text";
  const rule = ((value["syscalls"] ?? []) as Record<string, unknown>[]).find((item) => !isRule(item));
  return rule === undefined
    ? undefined
    : `a rule of syscalls is not as it must be: ${JSON.stringify(rule).slice(0, 100)}`;
}

function isRule(rule: Record<string, unknown>): boolean {
  const isTexts = (item: unknown): boolean =>
    isAbsent(item) || (Array.isArray(item) && item.every((text) => typeof text === "string"));
  const isFilter = (item: unknown): boolean =>
    isAbsent(item) || (isObject(item) && isTexts(item["caps"]) && isTexts(item["arches"]));
  const isArgument = (item: unknown): boolean =>
    isObject(item) && isIndex(item["index"] ?? 0) && operators.has(String(item["op"]));
  const { args } = rule;
  return (
    isTexts(rule["names"]) &&
    (isAbsent(rule["name"]) || typeof rule["name"] === "string") &&
    isFilter(rule["includes"]) &&
    isFilter(rule["excludes"]) &&
    (isAbsent(args) || (Array.isArray(args) && args.every(isArgument)))
  );
}

function isIndex(value: unknown): boolean {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 5;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

function applies({ includes, excludes }: DockerRule, facts: SeccompFacts): boolean {
  const has = (capability: string): boolean => facts.capabilities.includes(capability);
  const isNewEnough = (version: string): boolean => {
    const [, major, minor] = /^([0-9]+)\.([0-9]+)$/.exec(version) ?? [];
    if (major === undefined) throw broken(`invalid kernel version: ${JSON.stringify(version.slice(0, 40))}`);
    return kernelAtLeast(facts.kernelVersion, Number(major), Number(minor));
  };
  const isExcluded =
    (excludes?.arches ?? []).includes(facts.architecture) ||
    (excludes?.caps ?? []).some(has) ||
    (excludes?.minKernel !== undefined && isNewEnough(excludes.minKernel));
  if (isExcluded) return false;
  const arches = includes?.arches ?? [];
  return (
    (arches.length === 0 || arches.includes(facts.architecture)) &&
    (includes?.caps ?? []).every(has) &&
    (includes?.minKernel === undefined || isNewEnough(includes.minKernel))
  );
}

function resolved({ name, names, action = "", errnoRet, args }: DockerRule): SeccompRule {
  if (name !== undefined && name !== "" && names !== undefined && names.length > 0) {
    throw broken("both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'");
  }
  return {
    names: name === undefined || name === "" ? (names ?? []) : [name],
    action: checkedAction(action),
    ...(errnoRet !== undefined && { errnoRet }),
    ...(args !== undefined && args.length > 0 && { args: args.map(completed) }),
  };
}

/** With what Go's decoder takes for what is left out; no field beyond those that the runtimes know. */
function completed({ index = 0, value = 0, valueTwo, op }: Partial<RuleArgument>): RuleArgument {
  return { index, value, ...(valueTwo !== undefined && { valueTwo }), op: op ?? "" };
}

function checkedAction(action: string): string {
  if (action === "SCMP_ACT_NOTIFY") throw supervised();
  if (actions.has(action)) return action;
  throw broken(`unknown action ${JSON.stringify(action.slice(0, 60))} in the seccomp profile`);
}

function supervised(): Fault {
  return new Fault("unsupported", "a seccomp profile with SCMP_ACT_NOTIFY and a listener is not supported");
}

function broken(message: string, cause?: unknown): Fault {
  return new Fault("invalid", message, cause === undefined ? {} : { cause });
}
