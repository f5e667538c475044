import type { BuildContexts, BuildMessage, BuildSessionRequest, Client, RegistryAuthHeader } from "#api/client";
import { isFault } from "#core/fault";
import type { Surroundings } from "../surroundings.ts";
import { archiveOf, type BuildContext, folderId } from "./context.ts";
import { contextTar } from "./context-tar.ts";
import type { Display } from "./display.ts";
import { type AskedOutput, OutputReceiver } from "./outputs.ts";
import { forwardAgents } from "./ssh-agents.ts";

/** All that a build is made of on this side. */
export interface BuildOrder {
  readonly context: BuildContext;
  readonly outputs: readonly AskedOutput[];
  readonly secrets: Readonly<Record<string, string>>;
  readonly agents: ReadonlyMap<string, string>;
  readonly registries: Readonly<Record<string, RegistryAuthHeader>>;
  /** Parameters for the contexts of `--build-context`, which are named or sent. */
  readonly queryFor: (
    contexts: BuildContexts,
  ) => Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
  readonly contextsFor: (isShared: boolean) => {
    readonly contexts: BuildContexts;
    readonly sent: ReadonlyMap<string, string>;
  };
}

export type ResultMessage = Extract<BuildMessage, { readonly Kind: "result" }>;
export type FailedMessage = Extract<BuildMessage, { readonly Kind: "failed" }>;
export type WarningMessage = Extract<BuildMessage, { readonly Kind: "warning" }>;

/** How a build ended, and what is to be said of it afterwards. */
export interface BuildEnd {
  readonly result?: ResultMessage;
  readonly failed?: FailedMessage;
  readonly warnings: readonly WarningMessage[];
  readonly messages: EndOfSteps;
}

/** The last lines of each step, and the step that failed. */
export class EndOfSteps {
  readonly #names = new Map<string, { readonly name: string; readonly span: WarningMessage["Span"] }>();
  readonly #tails = new Map<string, string>();
  #failed: string | undefined;

  take(message: BuildMessage): void {
    if (message.Kind === "plan")
      for (const { ID, Name, Span } of message.Steps) this.#names.set(ID, { name: Name, span: Span });
    if (message.Kind === "output") {
      const text = Buffer.from(message.Data, "base64").toString("utf8");
      this.#tails.set(message.Step, `${this.#tails.get(message.Step) ?? ""}${text}`.slice(-mostTail));
    }
    if (message.Kind === "ended" && message.Outcome === "failed") this.#failed ??= message.Step;
  }

  get failed(): { readonly name: string; readonly span: WarningMessage["Span"]; readonly tail: string } | undefined {
    const step = this.#failed === undefined ? undefined : this.#names.get(this.#failed);
    return step === undefined ? undefined : { ...step, tail: this.#tails.get(this.#failed ?? "") ?? "" };
  }
}

const mostTail = 8192;

/** Has the engine build; shows what it tells, and puts outputs in their places. Faults: what the engine refuses before it begins. */
export async function converse(
  around: Surroundings,
  order: BuildOrder,
  display: Display,
  signal: AbortSignal,
): Promise<BuildEnd> {
  const client = await around.client();
  const mayShare = around.host.startsWith("unix://");
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  try {
    return await readMessages(around, order, display, await begin(client, order, mayShare, both));
  } finally {
    over.abort();
  }
}

/** A daemon that sees other folders than we do is sent archives of them. */
async function begin(
  client: Client,
  order: BuildOrder,
  mayShare: boolean,
  signal: AbortSignal,
): Promise<AsyncIterable<BuildMessage>> {
  if (!mayShare) return await start(client, order, false, signal);
  try {
    return await start(client, order, true, signal);
  } catch (error) {
    if (!isFault(error, "conflict") || order.context.place.kind === "archive") throw error;
    return await start(client, order, false, signal);
  }
}

async function start(
  client: Client,
  order: BuildOrder,
  isShared: boolean,
  signal: AbortSignal,
): Promise<AsyncIterable<BuildMessage>> {
  const { context, agents, registries } = order;
  const { contexts, sent } = order.contextsFor(isShared);
  const session = await openSession(client, order, sent.size > 0, signal);
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => undefined);
  if (session !== undefined) {
    forwardAgents(client, session, agents, signal);
    for (const [name, folder] of sent)
      client.builds.sendContext(session, name, contextTar(folder, undefined), signal).catch(failure.reject);
  }
  const { place, dockerfile } = context;
  const isNamed = place.kind === "folder" && isShared;
  const archive = isNamed ? undefined : archiveOf(context);
  const query = {
    ...order.queryFor(contexts),
    ...(dockerfile !== undefined && { dockerfile }),
    ...(session !== undefined && { session }),
    ...(isNamed && { context: place.path, contextid: folderId(place.path) }),
    ...(place.kind === "remote" && { remote: place.url }),
  };
  return await Promise.race([
    client.builds.start({ query, registries, ...(archive !== undefined && { archive }) }, signal),
    failure.promise,
  ]);
}

async function openSession(
  { builds }: Client,
  { context, secrets, agents }: BuildOrder,
  sendsContexts: boolean,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { dockerfileText } = context;
  const isNeeded = sendsContexts || dockerfileText !== undefined || agents.size > 0 || Object.keys(secrets).length > 0;
  if (!isNeeded) return undefined;
  const request: BuildSessionRequest = {
    Secrets: secrets,
    Agents: [...agents.keys()],
    ...(dockerfileText !== undefined && { Dockerfile: dockerfileText }),
  };
  return await builds.openSession(request, signal);
}

async function readMessages(
  around: Surroundings,
  { outputs }: BuildOrder,
  display: Display,
  messages: AsyncIterable<BuildMessage>,
): Promise<BuildEnd> {
  const receivers = new Map<number, OutputReceiver>();
  const steps = new EndOfSteps();
  const warnings: WarningMessage[] = [];
  let result: ResultMessage | undefined;
  let failed: FailedMessage | undefined;
  const receiverOf = (index: number): OutputReceiver => {
    const output = outputs[index];
    if (output === undefined) throw new Error(`the engine sent an output that was not asked for: ${index}`);
    const receiver = receivers.get(index) ?? new OutputReceiver(around, output);
    receivers.set(index, receiver);
    return receiver;
  };
  try {
    for await (const message of messages) {
      display.show(message);
      steps.take(message);
      if (message.Kind === "file") await receiverOf(message.Output).take(Buffer.from(message.Data, "base64"));
      if (message.Kind === "fileEnd") {
        await receiverOf(message.Output).end();
        receivers.delete(message.Output);
      }
      if (message.Kind === "warning") warnings.push(message);
      if (message.Kind === "result") result = message;
      if (message.Kind === "failed") failed = message;
    }
  } finally {
    const reason = new Error("the build ended before its output was whole");
    for (const receiver of receivers.values()) await receiver.fail(reason);
  }
  return {
    warnings,
    messages: steps,
    ...(result !== undefined && { result }),
    ...(failed !== undefined && { failed }),
  };
}
