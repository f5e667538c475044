import { Fault } from "../fault.ts";
import type { Span } from "./dockerfile.ts";

/** What is wrong in a Dockerfile, and where: kind `invalid`, in BuildKit's words; `showError` shows the place. */
export class SyntaxFault extends Fault {
  /** The narrowest place that is known: a flag, a word, else the instruction. */
  readonly span: Span;

  constructor(message: string, span: Span, options: { cause?: unknown; remedy?: string } = {}) {
    super("invalid", message, options);
    this.span = span;
  }
}
