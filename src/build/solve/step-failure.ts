import { Fault } from "#core/fault";

/** A command of a Dockerfile that ended badly: expected, and no failure of ours. */
export class StepFailure extends Fault {
  /** 0–255. */
  readonly exitCode: number;
  /** As a person would type it. */
  readonly command: string;

  constructor(command: string, exitCode: number, options: { readonly oomKilled: boolean }) {
    const why = options.oomKilled ? " (it was out of memory)" : "";
    super("invalid", `The command '${command}' returned a non-zero code: ${exitCode}${why}`);
    this.exitCode = exitCode;
    this.command = command;
  }
}
