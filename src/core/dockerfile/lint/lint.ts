import { Fault } from "../../fault.ts";
import type { Dockerfile, Stage, Warning } from "../dockerfile.ts";
import { expandedFindings } from "./expanded-findings.ts";
import { experimentalRules } from "./rules.ts";
import { writtenFindings } from "./written-findings.ts";

/** What is known outside of the file; all that is absent keeps the rules that need it silent. */
export interface LintFacts {
  /** What `parseDockerfile` told. */
  readonly warnings: readonly Warning[];
  /** `--build-arg`. */
  readonly args: Readonly<Record<string, string | undefined>>;
  /** TARGETPLATFORM, BUILDARCH and so on, with their values. */
  readonly platformArgs: Readonly<Record<string, string>>;
  /** Of the image that a stage begins with (not of another stage): its environment, and its SHELL. */
  readonly baseOf: (stage: Stage) => BaseFacts | undefined;
  /** Whether .dockerignore keeps that path of the context away. */
  readonly isIgnored?: (path: string) => boolean;
  /** Rules that the caller does not want to hear of, or `all`; the file's own `check=skip` counts as well. */
  readonly skip: readonly string[] | "all";
}

/** What a base image says. */
export interface BaseFacts {
  readonly env: readonly string[];
  readonly hasShell: boolean;
}

/** What BuildKit's rules find, in the order of the file, without what the file or the caller skips. Never throws for what the file says. */
export function lint(dockerfile: Dockerfile, facts: LintFacts): Warning[] {
  const { skip = [], experimental = [] } = dockerfile.directives.check ?? {};
  if (skip === "all" || facts.skip === "all") return [];
  const skipped = new Set([...skip, ...facts.skip]);
  const wanted = new Set(experimental);
  return [...facts.warnings, ...writtenFindings(dockerfile), ...expandedFindings(dockerfile, facts)]
    .filter(({ rule }) => !skipped.has(rule))
    .filter(({ rule }) => !experimentalRules.has(rule) || wanted.has(rule) || wanted.has("all"))
    .toSorted(byPlace)
    .slice(0, mostWarnings);
}

/** Of one file: what a person reads, with some room. */
const mostWarnings = 1000;

/** With `check=error=true` warnings end the build: that failure; undefined when there is none. */
export function lintFault(dockerfile: Dockerfile, warnings: readonly Warning[]): Fault | undefined {
  if (dockerfile.directives.check?.error !== true || warnings.length === 0) return undefined;
  const names = [...new Set(warnings.map(({ rule }) => rule))].toSorted();
  return new Fault("invalid", `lint violation found for rules: ${names.join(", ")}`);
}

function byPlace(a: Warning, b: Warning): number {
  const [first, second] = [a.span?.start, b.span?.start];
  return (first?.line ?? 0) - (second?.line ?? 0) || (first?.column ?? 0) - (second?.column ?? 0);
}
