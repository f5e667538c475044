import { showError } from "#core/dockerfile/show-error";
import type { Span } from "#core/dockerfile/dockerfile";
import type { BuildSpan } from "#api/client";
import { type BuildContext, dockerfileText } from "./context.ts";
import type { BuildEnd, WarningMessage } from "./conversation.ts";
import { printable } from "./display.ts";

/** What is said of a build that failed: the end of the step's output, the place in the Dockerfile, and why. */
export async function failureText(end: BuildEnd, context: BuildContext): Promise<string> {
  const words = `ERROR: failed to build: ${end.failed?.Message ?? "the engine ended the build without a word"}`;
  const step = end.messages.failed;
  const parts: string[] = [];
  if (step !== undefined && step.tail.trim() !== "") {
    const tail = step.tail.trimEnd().split("\n").slice(-mostLines).map(printable);
    parts.push("------", ` > ${printable(step.name)}:`, ...tail, "------");
  }
  parts.push(await placed(context, end.failed?.Span ?? step?.span, words));
  return parts.join("\n");
}

/** Lines for the warnings of a build that was made. */
export function warningLines(warnings: readonly WarningMessage[]): string {
  if (warnings.length === 0) return "";
  const found = warnings.length === 1 ? "1 warning found" : `${warnings.length} warnings found`;
  const lines = warnings.map(({ Message, Rule, Span }) => {
    const line = Span === undefined ? "" : ` (line ${Span.Start.Line})`;
    return ` - ${Rule}: ${printable(Message)}${line}`;
  });
  return `\n ${found} (see slipway build --check):\n${lines.join("\n")}\n`;
}

/** What `--check` prints. */
export async function checkText(warnings: readonly WarningMessage[], context: BuildContext): Promise<string> {
  if (warnings.length === 0) return "Check complete, no warnings found.\n";
  const found = warnings.length === 1 ? "1 warning has" : `${warnings.length} warnings have`;
  const shown = await Promise.all(
    warnings.map(async ({ Message, Rule, Span, URL }) => {
      const title = `WARNING: ${Rule}${URL === "" ? "" : ` - ${URL}`}`;
      return `${title}\n${await placed(context, Span, printable(Message))}\n`;
    }),
  );
  return `Check complete, ${found} been found!\n\n${shown.join("\n")}`;
}

const mostLines = 20;

async function placed(context: BuildContext, span: BuildSpan | undefined, words: string): Promise<string> {
  const text = span === undefined ? undefined : await dockerfileText(context);
  if (span === undefined || text === undefined) return words;
  return showError(text, context.dockerfile ?? "Dockerfile", spanOf(span), words);
}

function spanOf({ Start, End }: BuildSpan): Span {
  return { start: { line: Start.Line, column: Start.Column }, end: { line: End.Line, column: End.Column } };
}
