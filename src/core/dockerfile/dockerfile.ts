/** A Dockerfile as it is written (Dockerfile reference 1.20): parsed and checked in itself, nothing expanded. */

/** Where in the file; both count from 1, columns in UTF-16 units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** From the first character up to, without, the last. */
export interface Span {
  readonly start: Position;
  readonly end: Position;
}

/** Text whose quotes, escapes and `$` are still in it: see `expandWord`. */
export interface Raw {
  readonly text: string;
  readonly span: Span;
}

export interface Dockerfile {
  readonly text: string;
  /** The escape character of continuations and of words. */
  readonly escape: "\\" | "`";
  readonly directives: {
    readonly syntax?: Raw;
    /** `check=skip=…;error=true`. */
    readonly check?: {
      readonly skip: readonly string[] | "all";
      readonly error: boolean;
      readonly experimental: readonly string[];
    };
  };
  /** ARG before the first FROM. */
  readonly globalArgs: readonly ArgInstruction[];
  readonly stages: readonly Stage[];
}

export interface Stage {
  readonly index: number;
  /** Lower case; absent when it has none. */
  readonly name?: string;
  readonly from: FromInstruction;
  readonly instructions: readonly Instruction[];
  /** Of the comment right above its FROM. */
  readonly description?: string;
}

interface InstructionBase {
  readonly span: Span;
  /** As it is shown in progress and history: continuations joined, blanks as written otherwise. */
  readonly original: string;
}

export interface FromInstruction extends InstructionBase {
  readonly kind: "from";
  readonly image: Raw;
  readonly name?: Raw;
  readonly platform?: Raw;
}

export interface ArgInstruction extends InstructionBase {
  readonly kind: "arg";
  readonly args: readonly { readonly name: Raw; readonly value?: Raw }[];
  /** Of the comment right above. */
  readonly description?: string;
}

/** Stands for a command: its words themselves, or a line for the shell. Heredocs of a shell line are in its text, as the shell wants them. */
export type Command =
  | { readonly form: "exec"; readonly args: readonly string[] }
  | { readonly form: "shell"; readonly text: string }
  /** `RUN <<EOF` alone: the document is the script; one that begins with `#!` is a program of its own. */
  | { readonly form: "script"; readonly name: string; readonly text: string };

export interface Heredoc {
  readonly name: string;
  readonly text: string;
  /** Its name was not quoted: variables in it are expanded. */
  readonly expand: boolean;
  readonly span: Span;
}

/** A flag of an instruction: `--mount=type=cache,target=/x`. */
export interface Flag {
  readonly name: string;
  readonly value: Raw;
}

export interface RunInstruction extends InstructionBase {
  readonly kind: "run";
  readonly command: Command;
  /** Each `--mount`, raw; `parseRunMount` reads it once it is expanded. */
  readonly mounts: readonly Raw[];
  readonly network?: Raw;
  readonly security?: Raw;
  readonly devices: readonly Raw[];
}

export type CopySource =
  | { readonly kind: "path"; readonly path: Raw }
  | { readonly kind: "heredoc"; readonly document: Heredoc };

export interface CopyInstruction extends InstructionBase {
  readonly kind: "copy" | "add";
  readonly sources: readonly CopySource[];
  readonly target: Raw;
  readonly from?: Raw;
  readonly chown?: Raw;
  readonly chmod?: Raw;
  readonly link: boolean;
  readonly parents: boolean;
  readonly excludes: readonly Raw[];
  /** ADD only. */
  readonly checksum?: Raw;
  readonly keepGitDir: boolean;
  /** ADD only; absent: archives of the context are unpacked, those of URLs are not. */
  readonly unpack?: boolean;
}

export interface PairsInstruction extends InstructionBase {
  readonly kind: "env" | "label";
  readonly pairs: readonly { readonly name: Raw; readonly value: Raw }[];
  /** `ENV name value`, which lint tells of. */
  readonly legacy: boolean;
}

export interface WordsInstruction extends InstructionBase {
  readonly kind: "expose" | "volume";
  readonly words: readonly Raw[];
}

export interface WordInstruction extends InstructionBase {
  readonly kind: "user" | "workdir" | "stopsignal" | "maintainer";
  readonly word: Raw;
}

export interface CommandInstruction extends InstructionBase {
  readonly kind: "cmd" | "entrypoint";
  readonly command: Command;
}

export interface ShellInstruction extends InstructionBase {
  readonly kind: "shell";
  readonly shell: readonly string[];
}

export interface HealthcheckInstruction extends InstructionBase {
  readonly kind: "healthcheck";
  /** Absent: NONE. Flags as written: `--interval=30s`. */
  readonly check?: { readonly command: Command; readonly flags: readonly Flag[] };
}

export interface OnbuildInstruction extends InstructionBase {
  readonly kind: "onbuild";
  /** The trigger as written, for the image's config; it has been parsed and is right in itself. */
  readonly trigger: string;
}

export type Instruction =
  | ArgInstruction
  | RunInstruction
  | CopyInstruction
  | PairsInstruction
  | WordsInstruction
  | WordInstruction
  | CommandInstruction
  | ShellInstruction
  | HealthcheckInstruction
  | OnbuildInstruction;

/** Something that works and should not be so; `rule` is BuildKit's name of it. */
export interface Warning {
  readonly rule: string;
  readonly description: string;
  readonly url: string;
  readonly message: string;
  readonly span?: Span;
}
