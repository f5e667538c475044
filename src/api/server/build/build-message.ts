import type { BuildMessage, BuildStepMessage } from "#api/wire";
import type { BuildEvent, Step } from "#build";
import { rfc3339Nano } from "#core/clock";
import type { Fault } from "#core/fault";
import { failureFacts, spanAnswer } from "./failure.ts";

/** A build's event as a line of our own stream. */
export function buildMessage(event: BuildEvent): BuildMessage {
  switch (event.kind) {
    case "plan":
      return { Kind: "plan", Steps: event.steps.map(stepMessage) };
    case "started":
      return { Kind: "started", Step: event.step, Time: rfc3339Nano(event.timeNs) };
    case "ended":
      return {
        Kind: "ended",
        Step: event.step,
        Time: rfc3339Nano(event.timeNs),
        Outcome: event.outcome,
        ...(event.reason !== undefined && { Reason: event.reason }),
        ...(event.error !== undefined && { Error: event.error }),
        ...(event.result !== undefined && { Result: event.result }),
      };
    case "output":
      return {
        Kind: "output",
        Step: event.step,
        Stream: event.stream,
        Data: Buffer.from(event.bytes).toString("base64"),
        Time: rfc3339Nano(event.timeNs),
      };
    case "progress":
      return {
        Kind: "progress",
        Step: event.step,
        ID: event.id,
        Current: event.currentBytes,
        ...(event.totalBytes !== undefined && { Total: event.totalBytes }),
        Time: rfc3339Nano(event.timeNs),
      };
    case "warning":
      return {
        Kind: "warning",
        Rule: event.warning.rule,
        Description: event.warning.description,
        URL: event.warning.url,
        Message: event.warning.message,
        ...(event.warning.span !== undefined && { Span: spanAnswer(event.warning.span) }),
        ...(event.step !== undefined && { Step: event.step }),
      };
    case "result":
      break;
  }
  const { buildId, imageId, digest, tags, metadata } = event.result;
  return {
    Kind: "result",
    BuildID: buildId,
    ...(imageId !== undefined && { ImageID: imageId }),
    ...(digest !== undefined && { Digest: digest }),
    Tags: tags,
    Metadata: metadata,
  };
}

/** The last line of a build that failed. */
export function failedMessage(fault: Fault): BuildMessage {
  const { exitCode, span } = failureFacts(fault);
  return {
    Kind: "failed",
    Message: fault.text,
    ...(exitCode !== undefined && { ExitCode: exitCode }),
    ...(span !== undefined && { Span: spanAnswer(span) }),
  };
}

function stepMessage({ id, name, number, instruction, isMetadata, stage, inputs, span }: Step): BuildStepMessage {
  return {
    ID: id,
    Name: name,
    Number: number,
    Instruction: instruction,
    ...(isMetadata === true && { Metadata: true as const }),
    ...(stage !== undefined && { Stage: stage }),
    Inputs: inputs,
    ...(span !== undefined && { Span: spanAnswer(span) }),
  };
}
