import type { Span } from "#core/dockerfile/dockerfile";
import type { Fault } from "#core/fault";
import type { BuildSpan } from "#api/wire";

/** What a build's failure tells beside its words: the exit code of the command, the place in the Dockerfile. */
export function failureFacts(fault: Fault): { readonly exitCode?: number; readonly span?: Span } {
  const { exitCode, span } = fault as Fault & { readonly exitCode?: unknown; readonly span?: Span };
  return { ...(typeof exitCode === "number" && { exitCode }), ...(span !== undefined && { span }) };
}

/** A span in the wire's words. */
export function spanAnswer({ start, end }: Span): BuildSpan {
  return {
    Start: { Line: start.line, Column: start.column },
    End: { Line: end.line, Column: end.column },
  };
}
