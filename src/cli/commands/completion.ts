import { catalogue, findEntry, groups } from "../catalogue.ts";
import { type Completed, defineCommand } from "../command.ts";
import { globalFlags } from "../globals.ts";
import type { FlagTable } from "../flags/flag.ts";
import { type Surroundings, write } from "../surroundings.ts";

/** Scripts that ask `slipway __complete` for the words at the cursor; an answer of `:files` leaves it to the shell. */
const scripts: Readonly<Record<string, string>> = {
  bash: `_slipway() {
  local IFS=$'\\n' words
  words=$(slipway __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  if [ "$words" = ":files" ]; then
    compopt -o filenames
    COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
  else
    COMPREPLY=($(compgen -W "$(printf '%s\\n' "$words" | cut -f1)" -- "\${COMP_WORDS[COMP_CWORD]}"))
    declare -F __ltrim_colon_completions >/dev/null && __ltrim_colon_completions "\${COMP_WORDS[COMP_CWORD]}"
  fi
}
complete -F _slipway slipway
`,
  zsh: `#compdef slipway
_slipway() {
  local -a lines described
  lines=("\${(@f)$(slipway __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ "\${lines[1]}" == ":files" ]]; then
    _files
    return
  fi
  local line
  for line in $lines; do
    [[ -n $line ]] && described+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  _describe 'slipway' described
}
compdef _slipway slipway
`,
  fish: `function __slipway_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l lines (slipway __complete $words[2..-1] 2>/dev/null)
  if test "$lines[1]" = ":files"
    __fish_complete_path (commandline -ct)
  else
    printf '%s\\n' $lines
  end
end
complete -c slipway -f -a '(__slipway_complete)'
`,
};

/** `slipway completion`. */
export const completion = defineCommand({
  usage: "bash|zsh|fish",
  summary: "Print the completion script for a shell",
  description:
    "Completes commands and flags, and asks the engine for the names of containers, images, networks and volumes.",
  examples: [
    ["source <(slipway completion bash)", "In ~/.bashrc"],
    ["slipway completion fish > ~/.config/fish/completions/slipway.fish", "For fish"],
  ],
  flags: {},
  args: [1, 1],
  run: async ({ args, around }) => {
    const script = scripts[args[0] ?? ""];
    if (script === undefined) throw new Error(`no completion for shell '${args[0]}': use bash, zsh or fish`);
    await write(around.stdout, script);
    return 0;
  },
});

/** `slipway __complete WORDS…`: prints what can stand for the last word, one a line, with a tab before its meaning. */
export const complete = defineCommand({
  usage: "WORD...",
  summary: "Answer a shell's completion request",
  flags: {},
  args: [0, Infinity],
  interspersed: false,
  run: async ({ args, around }) => {
    const lines = await candidates(args, around);
    const last = args.at(-1) ?? "";
    const fitting = lines[0] === ":files" ? lines : lines.filter((line) => line.startsWith(last));
    await write(around.stdout, fitting.map((line) => `${line}\n`).join(""));
    return 0;
  },
});

async function candidates(words: readonly string[], around: Surroundings): Promise<string[]> {
  const before = words
    .slice(0, -1)
    .filter((word, index, all) => !word.startsWith("-") && !takesValue(all[index - 1], globalFlags));
  const last = words.at(-1) ?? "";
  const [first = "", second] = before;
  if (before.length === 0) return last.startsWith("-") ? flagLines(globalFlags) : commandLines();
  if (Object.hasOwn(groups, first) && second === undefined) return groupLines(first);
  const name = Object.hasOwn(groups, first) ? `${first} ${second ?? ""}` : first;
  const entry = findEntry(name);
  if (entry === undefined) return [];
  const command = await entry.load();
  if (last.startsWith("-")) return flagLines(command.flags);
  const previous = words.at(-2);
  if (takesValue(previous, command.flags)) return await valueLines(previous ?? "", around);
  const given = before.length - (Object.hasOwn(groups, first) ? 2 : 1);
  const isOpen = command.interspersed !== false || given === 0;
  const kinds = command.completes;
  const kind = typeof kinds === "object" ? kinds[given] : kinds;
  return isOpen && given < command.args[1] ? await nameLines(kind, around) : [":files"];
}

function commandLines(): string[] {
  const own = Object.entries(catalogue).filter(([name, entry]) => entry.hidden !== true && !name.includes(" "));
  return [
    ...own.map(([name, entry]) => `${name}\t${entry.summary}`),
    ...Object.entries(groups).map(([name, text]) => `${name}\t${text}`),
  ];
}

function groupLines(group: string): string[] {
  const lines: string[] = [];
  for (const [name, entry] of Object.entries(catalogue)) {
    for (const alias of [name, ...(entry.aliases ?? [])]) {
      if (alias.startsWith(`${group} `)) lines.push(`${alias.slice(group.length + 1)}\t${entry.summary}`);
    }
  }
  return lines;
}

function flagLines(flags: FlagTable): string[] {
  const shown = Object.entries(flags).filter(([, flag]) => flag.hidden !== true);
  return [...shown.map(([name, flag]) => `--${name}\t${flag.help}`), "--help\tShow what the command does"];
}

/** Whether the word is a flag that waits for its value. */
function takesValue(word: string | undefined, flags: FlagTable): boolean {
  if (word === undefined || !word.startsWith("-") || word.includes("=")) return false;
  const flag = word.startsWith("--")
    ? flags[word.slice(2)]
    : Object.values(flags).find(({ short }) => short !== undefined && word.endsWith(short));
  return flag !== undefined && flag.bareText === undefined;
}

async function valueLines(flag: string, around: Surroundings): Promise<string[]> {
  if (flag === "--network") return await nameLines("networks", around);
  if (flag === "--volumes-from") return await nameLines("containers", around);
  const words: Readonly<Record<string, readonly string[]>> = {
    "--pull": ["always", "missing", "never"],
    "--restart": ["no", "always", "unless-stopped", "on-failure"],
    "--log-driver": ["local", "json-file", "syslog", "fluentd", "none"],
    "--type": ["container", "image", "network", "volume"],
    "--format": ["json", "table"],
    "--log-level": ["debug", "info", "warn", "error", "fatal"],
  };
  return [...(words[flag] ?? [":files"])];
}

/** Names from the engine; none when it does not answer. */
async function nameLines(kind: Completed | undefined, around: Surroundings): Promise<string[]> {
  if (kind === undefined) return [];
  if (kind === "files") return [":files"];
  const { openClient } = await import("#api/client");
  using client = openClient({ host: around.host });
  try {
    const signal = AbortSignal.timeout(2000);
    if (kind === "images") {
      const images = await client.images.list({}, signal);
      return images.flatMap(({ Id, RepoTags }) => (RepoTags ?? []).map((tag) => `${tag}\t${Id.slice(7, 19)}`));
    }
    if (kind === "networks") {
      return (await client.networks.list({}, signal)).map(({ Driver, Name }) => `${Name}\t${Driver}`);
    }
    if (kind === "volumes") {
      return (await client.volumes.list({}, signal)).Volumes.map(({ Driver, Name }) => `${Name}\t${Driver}`);
    }
    const containers = await client.containers.list({ all: kind === "containers" }, signal);
    return containers.flatMap(({ Image, Names, Status }) =>
      Names.map((name) => `${name.replace(/^\//, "")}\t${Image}, ${Status}`),
    );
  } catch {
    return [];
  }
}
