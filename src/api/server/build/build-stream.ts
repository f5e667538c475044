import { type BuildMessage, buildStreamType, errorLine, toJson } from "#api/wire";
import type { BuildEvent } from "#build";
import { asFault } from "#core/fault";
import type { StreamAnswer } from "../http/answer.ts";
import { buildMessage, failedMessage } from "./build-message.ts";
import { ClassicOutput } from "./classic-output.ts";
import { failureFacts } from "./failure.ts";
import type { Handoff } from "./handoff.ts";

/** What is told of a quiet build that fails. */
const mostQuietBytes = 256 * 1024;

/** A build in the words of Docker's classic builder. `quiet`: the image's id is all that is told, unless it fails. */
export function classicAnswer(
  events: AsyncIterable<BuildEvent>,
  options: { readonly quiet: boolean; readonly removes: boolean },
): StreamAnswer {
  return {
    kind: "stream",
    contentType: "application/json",
    headAtOnce: false,
    body: options.quiet ? quietLines(events, options.removes) : classicLines(events, options.removes),
    lastWords: (fault) => errorLine(fault.text, failureFacts(fault).exitCode),
  };
}

/** A build as `BuildMessage` lines; what others give to `messages` goes among them. */
export function messageAnswer(events: AsyncIterable<BuildEvent>, messages: Handoff<BuildMessage>): StreamAnswer {
  const line = (message: BuildMessage): string => `${toJson(message)}\n`;
  async function* lines(): AsyncGenerator<string, void, void> {
    void pump(events, messages);
    for await (const message of messages.take()) yield line(message);
  }
  return {
    kind: "stream",
    contentType: buildStreamType,
    headAtOnce: false,
    body: lines(),
    lastWords: (fault) => line(failedMessage(fault)),
  };
}

async function pump(events: AsyncIterable<BuildEvent>, messages: Handoff<BuildMessage>): Promise<void> {
  try {
    for await (const event of events) await messages.give(buildMessage(event));
    messages.end();
  } catch (error) {
    messages.end({ failure: asFault(error) });
  }
}

async function* classicLines(events: AsyncIterable<BuildEvent>, removes: boolean): AsyncGenerator<string, void, void> {
  const output = new ClassicOutput({ removes });
  let failure: { readonly error: unknown } | undefined;
  try {
    for await (const event of events) yield* output.take(event);
  } catch (error) {
    failure = { error };
  }
  if (failure === undefined) return;
  yield* output.failed();
  throw failure.error;
}

async function* quietLines(events: AsyncIterable<BuildEvent>, removes: boolean): AsyncGenerator<string, void, void> {
  const output = new ClassicOutput({ removes });
  const lines: string[] = [];
  let bytes = 0;
  const keep = (more: readonly string[]): void => {
    for (const line of more) {
      lines.push(line);
      bytes += line.length;
      while (bytes > mostQuietBytes && lines.length > 1) bytes -= lines.shift()?.length ?? 0;
    }
  };
  let imageId: string | undefined;
  let failure: { readonly error: unknown } | undefined;
  try {
    for await (const event of events) {
      if (event.kind === "result") ({ imageId } = event.result);
      else keep(output.take(event));
    }
  } catch (error) {
    failure = { error };
  }
  if (failure !== undefined) {
    keep(output.failed());
    yield* lines;
    throw failure.error;
  }
  if (imageId !== undefined) yield `${toJson({ stream: `${imageId}\n` })}\r\n`;
}
